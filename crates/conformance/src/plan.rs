//! [`Plan`]: the behaviours that apply to a driver.

use std::{fmt, ops::Deref};

use storage_driver::Capabilities;

use crate::{Behaviour, Fixture, LeftOut, Size, behaviours};

/// What decides which behaviours apply: the driver's claims, and whether its clock can be set.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Conditions {
    /// The driver's claims.
    pub capabilities: Capabilities,
    /// Whether the fixture can [set the driver's clock](Fixture::with_clock).
    pub clock: bool,
}

impl Deref for Conditions {
    type Target = Capabilities;

    fn deref(&self) -> &Capabilities {
        &self.capabilities
    }
}

impl From<&Capabilities> for Conditions {
    /// The conditions of a driver whose clock cannot be set.
    fn from(capabilities: &Capabilities) -> Self {
        Self { capabilities: *capabilities, clock: false }
    }
}

impl From<&Fixture> for Conditions {
    fn from(fixture: &Fixture) -> Self {
        Self { capabilities: fixture.driver.capabilities(), clock: fixture.clock.is_some() }
    }
}

/// Which behaviours apply to a driver, and which are left out and why.
///
/// A backend pins the numbers in a test, so that no behaviour disappears unnoticed:
///
/// ```
/// # use storage_driver_conformance::{Fixture, reference::Reference};
/// let plan = storage_driver_conformance::plan(&Fixture::from(Reference::new()));
/// assert!(plan.quick() > 120);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The behaviours that apply.
    pub asked: Vec<&'static Behaviour>,
    /// The behaviours that are left out, because they need other capabilities or a clock that can be set.
    pub left_out: Vec<LeftOut>,
}

/// Chooses the behaviours, for a `&Fixture`, or for the `&Capabilities` of a driver whose clock
/// cannot be set.
pub fn plan(conditions: impl Into<Conditions>) -> Plan {
    let conditions = conditions.into();
    let mut plan = Plan { asked: Vec::new(), left_out: Vec::new() };
    for behaviour in behaviours() {
        match (behaviour.applies)(&conditions) {
            Ok(()) => plan.asked.push(behaviour),
            Err(why) => plan.left_out.push(LeftOut { name: behaviour.name, why }),
        }
    }
    plan
}

impl Plan {
    /// The number of behaviours that apply and run by default.
    pub fn quick(&self) -> usize {
        self.of(Size::Quick)
    }

    /// The number of behaviours that apply and run at full size only.
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
