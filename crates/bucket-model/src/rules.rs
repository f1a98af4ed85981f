//! [`Rules`]: the steps of the protocol that a test can leave out.

/// A step of the protocol that matters. Without it the checker finds a counterexample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rule {
    /// To resume is to swap the journal: `Backend::resume`.
    FenceSwap,
    /// The journal is replaced by a swap of the state that was kept last: `Upload::swap`.
    JournalSwap,
    /// The journal announces a commit before the record is put: `Upload::commit`.
    Announce,
    /// A commit that is tried again checks first that its writer is not fenced: `StillOurs`.
    Guard,
    /// So does a commit whose condition makes it read the destination first: `Backend::replace`.
    GuardAfterRead,
    /// Before a commit is undone, the state of its destination is changed: `Backend::fence`.
    FenceDestination,
    /// Before a commit is undone, its record is looked for at the destination: `Backend::settle`.
    LookForCommit,
    /// Before a record is replaced or removed, the journal that it came from ends: `Backend::settle_origin`.
    SettleOrigin,
    /// A record names the states before it: `Lineage`.
    Lineage,
    /// A deletion leaves a trace before it takes effect: `Objects::withdraw`.
    Trace,
    /// A create whose outcome is unknown fences the path before it is repeated: `Published::Doubt`.
    Doubt,
    /// A path that was fenced keeps a tombstone when its file is deleted: `Lineage::fenced`.
    FencedLife,
    /// Proposed, not in the code: an upload whose creation was in doubt keeps a tombstone when it ends.
    FencedUpload,
    /// An upload that is created again has another id: `Backend::create`.
    FreshId,
    /// The owner is made before the first extent: `ExtentWriter::ensure_owner`.
    OwnerFirst,
    /// An owner that another opening of the upload has made is used: `owner::create`.
    OwnerShared,
    /// The holders of an owner are read if there can be others than the journal: `Journal::shared`.
    ReadHolders,
    /// The destination is made a holder before the record is put: `Upload::hold_for`, `Backend::share`.
    Hold,
    /// A holder that is added again changes the owner: `owner::add`.
    HoldAgain,
    /// The sweeper swaps the owner to dying before it removes data: `Sweep::examine`.
    Dying,
    /// The sweeper looks at uploads before it looks at files: `Sweep::named`.
    UploadsFirst,
    /// The sweeper asks an object's age after it has read the object: `Sweep::examine`, `Sweep::tombstones`.
    AgeAfterRead,
    /// The sweeper leaves what is younger than the grace: `Age::is_over`.
    Grace,
    /// The deep sweep looks at owners without a hint: `Sweep::every_owner`.
    EveryOwner,
    /// The deep sweep removes extents that no record names, of data that is named: `Sweep::remove_loose`.
    Loose,
    /// It swaps the owner first: `Sweep::remove_loose`.
    LooseSwap,
    /// The deep sweep removes data without an owner: `Sweep::ownerless_data`.
    Ownerless,
    /// The deep sweep removes tombstones: `Sweep::tombstones`.
    Bury,
}

/// The rules that a model keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules(u32);

impl Rules {
    /// The protocol as it is in the code.
    pub const fn current() -> Self {
        Self(u32::MAX).without(Rule::FencedUpload)
    }

    /// The same with the steps that are proposed.
    pub const fn proposed() -> Self {
        Self(u32::MAX)
    }

    /// Leaves a rule out.
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self(self.0 & !(1 << rule as u8))
    }

    pub(crate) const fn keep(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u8) != 0
    }
}
