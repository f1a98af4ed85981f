//! Scenarios in which every claim holds.

use bucket_model::{
    Condition::{Absent, Always, AsRead},
    Deletes,
    Op::{self, Commit, Create, DeepSweep, Delete, Put, PutLarge, Rename, Resume, Sweep, Sync, Write},
    Pauses, Scenario,
};

use crate::support::holds;

const MODES: [Deletes; 2] = [Deletes::Conditional, Deletes::Tombstones];
const KEPT: [Op; 3] = [Create('u'), Write, Sync];

#[test]
fn two_writers_of_one_upload() {
    for mode in MODES {
        let scripts: &[&[Op]] =
            &[&[Create('u'), Write, Sync, Commit('d', Always)], &[Resume('u'), Commit('d', Always)]];
        let scenario = Scenario::new(mode, scripts).faults(1, 1);
        holds(&format!("two writers, {mode:?}"), &scenario);
    }
}

#[test]
fn a_takeover_with_a_put_and_a_delete_on_the_destination() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[
            &[Resume('u'), Commit('d', Always)],
            &[Resume('u')],
            &[Put('d', Always)],
            &[Delete('d')],
        ];
        let scenario = Scenario::new(mode, scripts).after(&KEPT).faults(0, 0);
        holds(&format!("takeover, {mode:?}"), &scenario);
    }
}

#[test]
fn two_commits_to_one_path() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[
            &[Create('u'), Write, Commit('d', Absent)],
            &[Create('v'), Write, Commit('d', Always)],
        ];
        let scenario = Scenario::new(mode, scripts).faults(1, 1);
        holds(&format!("two commits, {mode:?}"), &scenario);
    }
}

#[test]
fn a_commit_with_a_version() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Resume('u'), Commit('d', AsRead)], &[Resume('u')]];
        let before = [PutLarge('d', Always), Create('u'), Write, Sync];
        let scenario = Scenario::new(mode, scripts).after(&before).faults(1, 1);
        holds(&format!("version, {mode:?}"), &scenario);
    }
}

#[test]
fn a_writer_and_a_sweeper() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[
            &[Create('u'), Write, Sync, Commit('d', Always)],
            &[DeepSweep, Sweep],
        ];
        let before = [PutLarge('d', Always)];
        let scenario =
            Scenario::new(mode, scripts).after(&before).graces(2, Pauses::BelowGrace);
        holds(&format!("sweeper, {mode:?}"), &scenario);
    }
}

#[test]
fn a_rename_and_a_sweeper() {
    for mode in MODES {
        let scripts: &[&[Op]] = &[&[Rename('e', 'd')], &[DeepSweep]];
        let before = [PutLarge('d', Always), Rename('d', 'e')];
        let scenario =
            Scenario::new(mode, scripts).after(&before).graces(1, Pauses::BelowGrace);
        holds(&format!("rename, {mode:?}"), &scenario);
    }
}
