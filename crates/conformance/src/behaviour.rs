//! [`Behaviour`]: one thing that a driver does, and the registry of all.

use std::fmt;

use futures::future::BoxFuture;

use crate::{Conditions, Subject};

/// One thing that a driver does by the contract.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Behaviour {
    /// Its name, which is also that of its test: `reading::end_is_clipped_to_the_content`.
    pub name: &'static str,
    /// The numbers of the clauses that it is about: `4.1`.
    pub clauses: &'static [&'static str],
    /// Whether it is run by default.
    pub size: Size,
    /// Whether it is asked under these conditions, and if not, why.
    pub applies: fn(&Conditions) -> Result<(), &'static str>,
    /// Runs it. It panics where the driver does something else.
    pub run: fn(Subject) -> BoxFuture<'static, ()>,
}

/// How much work a behaviour is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Milliseconds to seconds. Run by default.
    Quick,
    /// Up to many minutes and gigabytes. Its test is ignored unless asked for.
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

/// Every behaviour there is, in the order of the list.
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
