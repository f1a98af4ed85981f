//! [`Plan`]: which behaviours are asked of a driver.

use std::fmt;

use storage_driver::Capabilities;

use crate::{Behaviour, LeftOut, Size, behaviours};

/// Which behaviours are asked of a driver, and which are left out and why.
///
/// A backend pins the numbers in a test, so that none vanishes:
///
/// ```
/// # use conformance::reference::Reference;
/// use storage_driver::StorageDriver;
///
/// let plan = conformance::plan(&Reference::new().capabilities());
/// assert!(plan.quick() > 120);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// What is asked.
    pub asked: Vec<&'static Behaviour>,
    /// What is left out, because it is about other capabilities.
    pub left_out: Vec<LeftOut>,
}

/// Chooses the behaviours by what a driver claims.
pub fn plan(capabilities: &Capabilities) -> Plan {
    let mut plan = Plan { asked: Vec::new(), left_out: Vec::new() };
    for behaviour in behaviours() {
        match (behaviour.applies)(capabilities) {
            Ok(()) => plan.asked.push(behaviour),
            Err(why) => plan.left_out.push(LeftOut { name: behaviour.name, why }),
        }
    }
    plan
}

impl Plan {
    /// How many that are asked are run by default.
    pub fn quick(&self) -> usize {
        self.of(Size::Quick)
    }

    /// How many that are asked are run at full size only.
    pub fn full(&self) -> usize {
        self.of(Size::Full)
    }

    fn of(&self, size: Size) -> usize {
        self.asked.iter().filter(|behaviour| behaviour.size == size).count()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (quick, full, left_out) = (self.quick(), self.full(), self.left_out.len());
        write!(f, "{quick} behaviours, {full} more at full size, {left_out} left out")?;
        self.left_out.iter().try_for_each(|left_out| write!(f, "\n  left out: {left_out}"))
    }
}
