//! Scenarios in which every claim holds, in both modes.

use bucket_model::{
    Condition::{Absent, Always, AsRead},
    Deletes::{Conditional, Tombstones},
    Op::{
        self, Append, Cancel, Commit, Create, DeepSweep, Delete, Put, PutLarge, Rename, Reopen,
        Resume, Sweep, Sync, Write,
    },
    Pauses::{BelowGrace, Unbounded},
    Scenario,
};

use crate::support::holds;

const KEPT: [Op; 3] = [Create('u'), Write, Sync];

fn in_both_modes(name: &str, scripts: &[&[Op]], bounds: impl Fn(Scenario) -> Scenario) {
    for deletes in [Conditional, Tombstones] {
        holds(&format!("{name}, {deletes:?}"), &bounds(Scenario::new(deletes, scripts)));
    }
}

const TWO_WRITERS: [&[Op]; 2] =
    [&[Create('u'), Write, Sync, Commit('d', Always)], &[Resume('u'), Write, Commit('d', Always)]];

#[test]
fn two_writers_of_one_upload() {
    in_both_modes("two writers", &TWO_WRITERS, |it| it.faults(1, 1));
}

#[test]
#[ignore = "minutes"]
fn two_writers_of_one_upload_in_larger_bounds() {
    in_both_modes("two writers", &TWO_WRITERS, |it| it.faults(2, 2));
}

const REMEMBERED: [&[Op]; 2] = [
    &[Resume('u'), Sync, Reopen('u'), Write, Commit('d', Always)],
    &[Resume('u'), Write, Sync, Cancel('u'), Create('u'), Sync],
];

#[test]
fn a_writer_that_remembers_its_upload_and_another_process() {
    in_both_modes("remembered", &REMEMBERED, |it| it.after(&KEPT).faults(1, 0));
}

#[test]
#[ignore = "minutes"]
fn a_writer_that_remembers_its_upload_and_another_process_in_larger_bounds() {
    in_both_modes("remembered", &REMEMBERED, |it| it.after(&KEPT).faults(1, 1));
}

const TAKEOVER: [&[Op]; 4] =
    [&[Resume('u'), Commit('d', Always)], &[Resume('u')], &[Put('d', Always)], &[Delete('d')]];

#[test]
fn a_takeover_and_a_put_and_a_delete_of_the_destination() {
    in_both_modes("takeover", &TAKEOVER, |it| it.after(&KEPT));
}

#[test]
#[ignore = "minutes"]
fn a_takeover_and_a_put_and_a_delete_of_the_destination_in_larger_bounds() {
    in_both_modes("takeover", &TAKEOVER, |it| it.after(&KEPT).faults(1, 1));
}

#[test]
fn puts_and_deletes_of_one_path() {
    let scripts: &[&[Op]] =
        &[&[Put('d', Always)], &[Put('d', Absent)], &[Delete('d')], &[Delete('d')]];
    in_both_modes("puts and deletes", scripts, |it| it.faults(1, 1));
}

#[test]
fn where_tombstones_stay_puts_and_deletes_find_out_whether_they_took_effect() {
    let scripts: &[&[Op]] =
        &[&[Put('d', Always)], &[Delete('d'), Put('d', Absent)], &[Delete('d')]];
    let scenario = Scenario::new(Tombstones, scripts).after(&[Put('d', Always)]);
    holds("certain", &scenario.faults(1, 0).certain());
}

const TWO_COMMITS: [&[Op]; 2] =
    [&[Create('u'), Write, Commit('d', Absent)], &[Create('v'), Write, Commit('d', Always)]];

#[test]
fn two_commits_to_one_path() {
    in_both_modes("two commits", &TWO_COMMITS, |it| it.faults(1, 1));
}

#[test]
#[ignore = "minutes"]
fn two_commits_to_one_path_and_a_takeover_in_larger_bounds() {
    let [first, second] = TWO_COMMITS;
    let scripts = [first, second, &[Resume('u'), Commit('e', Always)]];
    in_both_modes("two commits", &scripts, |it| it.faults(1, 0));
}

#[test]
fn a_commit_with_a_version() {
    let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', AsRead)], &[Resume('u')]];
    let before = [PutLarge('d', Always), Create('u'), Write, Sync];
    in_both_modes("version", scripts, |it| it.after(&before).faults(1, 1));
}

const CANCEL: [&[Op]; 2] = [&[Resume('u'), Commit('d', Always)], &[Cancel('u'), Create('u'), Sync]];

#[test]
fn a_cancellation_and_a_new_upload() {
    in_both_modes("cancel", &CANCEL, |it| it.after(&KEPT));
}

#[test]
#[ignore = "minutes"]
fn a_cancellation_and_a_new_upload_in_larger_bounds() {
    in_both_modes("cancel", &CANCEL, |it| it.after(&KEPT).faults(1, 1));
}

#[test]
fn a_writer_and_a_sweeper() {
    let scripts: &[&[Op]] =
        &[&[Create('u'), Write, Sync, Commit('d', Always)], &[DeepSweep, Sweep]];
    let before = [PutLarge('d', Always)];
    in_both_modes("sweeper", scripts, |it| it.after(&before).faults(1, 0).graces(2, BelowGrace));
}

#[test]
fn a_writer_that_pauses_for_longer_than_the_grace_and_a_sweeper() {
    let scripts: &[&[Op]] = &[&[Resume('u'), Write, Commit('d', Always)], &[DeepSweep, Sweep]];
    in_both_modes("pauses", scripts, |it| it.after(&KEPT).graces(2, Unbounded));
}

const SWEPT_WRITERS: [&[Op]; 3] =
    [&[Resume('u'), Write, Commit('d', Always)], &[Resume('u'), Commit('e', Always)], &[DeepSweep]];

#[test]
fn two_writers_and_a_sweeper() {
    in_both_modes("swept writers", &SWEPT_WRITERS, |it| it.after(&KEPT).graces(1, BelowGrace));
}

#[test]
#[ignore = "minutes"]
fn two_writers_and_a_sweeper_in_larger_bounds() {
    in_both_modes("swept writers", &SWEPT_WRITERS, |it| {
        it.after(&KEPT).faults(1, 1).graces(1, BelowGrace)
    });
}

#[test]
fn a_large_put_and_a_delete_and_a_sweeper() {
    let scripts: &[&[Op]] = &[&[PutLarge('d', Always)], &[Delete('d')], &[DeepSweep, Sweep]];
    let before = [PutLarge('d', Always)];
    in_both_modes("large put", scripts, |it| it.after(&before).graces(1, BelowGrace));
}

#[test]
fn an_append_and_a_rename_and_a_sweeper() {
    let scripts: &[&[Op]] =
        &[&[Append('d'), Commit('d', AsRead)], &[Rename('d', 'e')], &[DeepSweep]];
    let before = [PutLarge('d', Always)];
    in_both_modes("append", scripts, |it| it.after(&before).graces(1, BelowGrace));
}
