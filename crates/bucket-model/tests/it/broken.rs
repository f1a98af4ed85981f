//! Each step of the protocol matters: with it every claim holds, without it one does not.

use bucket_model::{
    Claim,
    Condition::{Always, AsRead},
    Deletes::{self, Conditional, Tombstones},
    Op::{
        self, Append, Cancel, Commit, Create, DeepSweep, Delete, Put, PutLarge, Rename, Reopen,
        Resume, Sweep, Sync, Write,
    },
    Pauses::{BelowGrace, Unbounded},
    Rule, Scenario,
};

use crate::support::{breaks, holds, matters};

const MODES: [Deletes; 2] = [Conditional, Tombstones];
const KEPT: [Op; 3] = [Create('u'), Write, Sync];

#[test]
fn a_writer_that_resumes_without_a_swap_fences_no_other() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Write, Sync], &[Resume('u')]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT);
        matters(Rule::FenceSwap, &[Claim::Fenced], &scenario);
    }
}

#[test]
fn a_writer_that_remembers_its_upload_and_does_not_swap_fences_no_other() {
    for mode in MODES {
        // The put makes time pass between the two.
        let scripts: &[&[Op]] =
            &[&[Resume('u'), Sync, Put('e', Always), Reopen('u')], &[Resume('u'), Write, Sync]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT);
        matters(Rule::ReopenSwap, &[Claim::Fenced], &scenario);
    }
}

#[test]
fn a_writer_that_does_not_swap_its_journal_writes_after_it_was_fenced() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Write, Sync], &[Resume('u')]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT);
        matters(Rule::JournalSwap, &[Claim::Fenced], &scenario);
    }
}

#[test]
fn an_upload_whose_commit_was_not_announced_outlives_it() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT);
        matters(Rule::Announce, &[Claim::Ended], &scenario);
    }
}

#[test]
fn a_commit_that_does_not_look_before_it_tries_again_is_not_fenced() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)], &[Resume('u')]];
        let before = [Put('d', Always), Create('u'), Write, Sync];
        let scenario = Scenario::new(mode, scripts).after(&before);
        matters(Rule::Guard, &[Claim::Fenced, Claim::Ended], &scenario);
    }
}

#[test]
fn a_commit_that_does_not_look_after_it_has_read_the_destination_is_not_fenced() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', AsRead)], &[Resume('u')]];
        let before = [Put('d', Always), Create('u'), Write, Sync];
        let scenario = Scenario::new(mode, scripts).after(&before);
        matters(Rule::GuardAfterRead, &[Claim::Fenced, Claim::Ended], &scenario);
    }
}

#[test]
fn a_commit_that_is_undone_without_a_change_of_its_destination_takes_effect_later() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)], &[Resume('u')]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT);
        matters(Rule::FenceDestination, &[Claim::Fenced, Claim::Ended], &scenario);
    }
}

#[test]
fn a_commit_that_is_undone_without_a_look_had_taken_effect() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)], &[Resume('u')]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT).faults(0, 1);
        matters(Rule::LookForCommit, &[Claim::Ended], &scenario);
    }
}

#[test]
fn a_commit_that_took_effect_does_not_fail_as_fenced() {
    let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)], &[Delete('d')]];
    let before = [Put('d', Always), Create('u'), Write, Sync];
    let scenario = Scenario::new(Conditional, scripts).after(&before).faults(1, 0);
    matters(Rule::Unknown, &[Claim::Truthful], &scenario);
}

#[test]
fn processes_that_settle_one_commit_keep_each_other_from_it() {
    let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)], &[Resume('u')], &[Resume('u')]];
    let scenario = Scenario::new(Tombstones, scripts).after(&KEPT);
    holds("FenceOnce", &scenario);
    // It is deep: the shortest counterexample would take long to find.
    breaks(Rule::FenceOnce, &[Claim::Ends], &scenario.without(Rule::FenceOnce).explore());
}

#[test]
fn a_cancellation_whose_response_was_lost_ends_the_next_upload() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Cancel('u')], &[Create('u')]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT).faults(1, 0);
        matters(Rule::CancelOnce, &[Claim::Once], &scenario);
    }
}

#[test]
fn an_upload_comes_back_when_the_record_that_proves_its_commit_is_replaced() {
    for mode in MODES {
        for replacement in [Put('d', Always), Delete('d')] {
            let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)], &[replacement]];
            let scenario = Scenario::new(mode, scripts).after(&KEPT).faults(0, 1);
            matters(Rule::SettleOrigin, &[Claim::Ended], &scenario);
        }
    }
}

#[test]
fn a_put_whose_response_was_lost_takes_effect_twice_without_a_lineage() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Put('d', Always)], &[Put('d', Always)]];
        let scenario = Scenario::new(mode, scripts).faults(1, 0);
        matters(Rule::Lineage, &[Claim::Once], &scenario);
    }
}

#[test]
fn a_put_whose_response_was_lost_takes_effect_twice_if_a_deletion_leaves_no_trace() {
    let scripts: &[&[Op]] = &[&[Put('d', Always)], &[Delete('d')]];
    let scenario = Scenario::new(Conditional, scripts).faults(1, 0);
    matters(Rule::Trace, &[Claim::Once], &scenario);
}

#[test]
fn a_create_that_is_repeated_takes_effect_after_a_deletion() {
    let scripts: &[&[Op]] = &[&[Put('d', Always)], &[Delete('d')]];
    let scenario = Scenario::new(Conditional, scripts).faults(1, 0);
    matters(Rule::Doubt, &[Claim::Once], &scenario);
    matters(Rule::FencedLife, &[Claim::Once], &scenario);
}

#[test]
fn an_upload_whose_creation_is_repeated_comes_back_after_its_end() {
    for first in [Create('u'), Append('u')] {
        let scripts: &[&[Op]] = &[&[first], &[Cancel('u')]];
        let scenario = Scenario::new(Conditional, scripts).after(&[Put('u', Always)]).faults(1, 0);
        matters(Rule::FencedUpload, &[Claim::Once], &scenario);
    }
}

#[test]
fn a_write_whose_response_was_lost_is_found_behind_deletions() {
    let scripts: &[&[Op]] = &[&[Put('d', Always)], &[Put('d', Always), Delete('d')]];
    let before = [Put('d', Always)];
    let scenario = Scenario::new(Tombstones, scripts).after(&before).faults(1, 0).certain();
    matters(Rule::Buried, &[Claim::Certain], &scenario);
}

#[test]
fn an_upload_that_is_created_twice_under_one_id_forgets_who_holds_its_data() {
    let scripts: &[&[Op]] =
        &[&[Create('u'), Write, Commit('e', Always)], &[Resume('u'), Write, Commit('d', Always)]];
    let scenario = Scenario::new(Conditional, scripts).faults(1, 0);
    matters(Rule::FreshId, &[Claim::Ended], &scenario);
}

#[test]
fn data_without_an_owner_is_not_kept() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Create('u'), Write, Sync]];
        matters(Rule::OwnerFirst, &[Claim::Named], &Scenario::new(mode, scripts));
    }
}

#[test]
fn a_writer_that_crashed_leaves_an_owner_that_the_next_one_uses() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Create('u'), Write], &[Resume('u'), Write, Sync]];
        let scenario = Scenario::new(mode, scripts).faults(0, 1);
        matters(Rule::OwnerShared, &[Claim::Sound], &scenario);
    }
}

#[test]
fn a_file_that_its_owner_does_not_know_is_swept() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT);
        matters(Rule::Hold, &[Claim::Named, Claim::Whole], &scenario);
    }
}

/// A deletion of `e` crashes after its hint. When the hint is old, `e` is renamed and then deleted.
fn with_an_old_hint(mode: Deletes, last: &[Op]) -> Scenario {
    let scripts: &[&[Op]] = &[&[Delete('e')], &[Rename('e', 'd')], &[Sweep], last];
    let before = [PutLarge('d', Always), Rename('d', 'e')];
    Scenario::new(mode, scripts).after(&before).faults(0, 1).graces(1, BelowGrace)
}

#[test]
fn a_holder_that_is_added_again_changes_the_owner() {
    for mode in MODES {
        matters(Rule::HoldAgain, &[Claim::Named, Claim::Whole], &with_an_old_hint(mode, &[]));
    }
}

#[test]
fn data_that_is_removed_without_a_swap_was_named_meanwhile() {
    for mode in MODES {
        matters(
            Rule::Dying,
            &[Claim::Named, Claim::Whole],
            &with_an_old_hint(mode, &[Delete('e')]),
        );
    }
}

#[test]
fn an_owner_that_was_changed_within_the_grace_is_left_alone() {
    for mode in MODES {
        matters(Rule::AgeAfterRead, &[Claim::Named, Claim::Whole], &with_an_old_hint(mode, &[]));
    }
}

#[test]
fn a_sweeper_that_looks_at_files_first_misses_a_commit() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('d'), Commit('e', Always)], &[Sweep]];
        let before = [
            PutLarge('d', Always),
            Rename('d', 'e'),
            Rename('e', 'd'),
            Append('d'),
            Put('d', Always),
        ];
        let scenario = Scenario::new(mode, scripts).after(&before).graces(1, Unbounded);
        matters(Rule::UploadsFirst, &[Claim::Named, Claim::Whole], &scenario);
    }
}

#[test]
fn a_sweeper_without_a_grace_takes_data_that_is_about_to_be_named() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[PutLarge('d', Always)], &[DeepSweep, Sweep]];
        matters(Rule::Grace, &[Claim::Named, Claim::Whole], &Scenario::new(mode, scripts));
    }
}

#[test]
fn what_a_crashed_process_leaves_has_no_hint() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[PutLarge('d', Always)]];
        matters(Rule::EveryOwner, &[Claim::Leftovers], &Scenario::new(mode, scripts));
    }
}

/// The upload of `e` has an extent that was not kept.
const LOOSE: [Op; 8] =
    [Create('u'), Write, Sync, Write, Resume('u'), Write, Commit('d', Always), Rename('d', 'e')];

#[test]
fn what_a_fenced_writer_leaves_goes_after_the_commit() {
    for mode in MODES {
        let scenario = Scenario::new(mode, &[]).after(&LOOSE);
        matters(Rule::Loose, &[Claim::Leftovers], &scenario);
    }
}

#[test]
fn a_file_that_is_renamed_while_its_loose_extents_are_removed_is_kept() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Rename('e', 'd')], &[DeepSweep]];
        let scenario = Scenario::new(mode, scripts).after(&LOOSE);
        // Either is enough.
        for rule in [Rule::LooseSwap, Rule::OneLook] {
            holds(&format!("without {rule:?}"), &scenario.clone().without(rule));
        }
        let checked = scenario.without(Rule::LooseSwap).without(Rule::OneLook).find();
        breaks(Rule::OneLook, &[Claim::Whole], &checked);
    }
}

#[test]
fn a_fenced_writer_writes_data_whose_owner_is_gone() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Write], &[Cancel('u')], &[Sweep]];
        let scenario = Scenario::new(mode, scripts).after(&KEPT).graces(1, BelowGrace);
        matters(Rule::Ownerless, &[Claim::Leftovers], &scenario);
    }
}

#[test]
fn tombstones_go_where_a_delete_can_be_conditional() {
    let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', Always)], &[Resume('u')]];
    let scenario = Scenario::new(Conditional, scripts).after(&KEPT);
    matters(Rule::Bury, &[Claim::Leftovers], &scenario);
}
