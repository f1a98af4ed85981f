//! [`Behaviour`]: one named test of a driver, and the list of all.

use std::fmt;

use futures::future::BoxFuture;

use crate::{Conditions, Subject};

/// One property of a driver that the contract requires.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Behaviour {
    /// Its name, which is also the name of its test: `reading::end_is_clipped_to_the_content`.
    pub name: &'static str,
    /// The numbers of the clauses that it tests: `4.1`.
    pub clauses: &'static [&'static str],
    /// Whether it runs by default.
    pub size: Size,
    /// Whether it applies under these conditions. The error is the reason why not.
    pub applies: fn(&Conditions) -> Result<(), &'static str>,
    /// Runs it. It panics if the driver fails it.
    pub run: fn(Subject) -> BoxFuture<'static, ()>,
}

/// How much work a behaviour does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Milliseconds to seconds. Run by default.
    Quick,
    /// Minutes and gigabytes. Its test is ignored by default.
    Full,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour")
            .field("name", &self.name)
            .field("clauses", &self.clauses)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// All behaviours, in the order of the list.
pub fn behaviours() -> &'static [Behaviour] {
    BEHAVIOURS
}

macro_rules! registry {
    ($($module:ident {
        $($name:ident: [$($clause:literal),+]
            $(if $($claimed:ident)&&+)? $(unless $($unclaimed:ident)||+)? $(@ $full:ident)?;)*
    })*) => {
        static BEHAVIOURS: &[Behaviour] = &[$($(Behaviour {
            name: concat!(stringify!($module), "::", stringify!($name)),
            clauses: &[$(stringify!($clause)),+],
            size: { let size = Size::Quick; $(let size = { let _ = size; registry!(@ $full) };)? size },
            applies: |conditions| {
                let _ = conditions;
                $($(if !conditions.$claimed {
                    return Err(registry!(@without $claimed));
                })+)?
                $($(if conditions.$unclaimed {
                    return Err(concat!("`", stringify!($unclaimed), "` is claimed"));
                })+)?
                Ok(())
            },
            run: |subject| Box::pin(crate::behaviours::$module::$name(subject)),
        },)*)*];
    };
    (@ full) => { Size::Full };
    (@without clock) => { "the fixture offers no clock to set" };
    (@without $capability:ident) => { concat!("`", stringify!($capability), "` is not claimed") };
}

crate::__behaviours!(registry);
