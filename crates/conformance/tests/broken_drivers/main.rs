//! Broken drivers, each of which breaks one clause, and the behaviours that find them out.
//!
//! A broken driver is the reference but for one method. Its test names the behaviours that have to fail on
//! it, and checks that they hold of a driver that is made in the same way and tells the truth.

mod breakage;
mod content;
mod context;
mod listing;
mod modest;
mod namespace;
mod uploads;

use std::{panic, sync::Once, thread, time::Duration};

use storage_driver_conformance::{Fixture, Report, Size, Subject, behaviours, run};

use crate::breakage::{Breakage, Broken, Honest};

fn ask<L: Breakage>(names: &[&str]) -> Report {
    static QUIET: Once = Once::new();
    // The failures that are wanted happen on the runtime's threads; those of the tests do not.
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().name().is_none_or(|name| !name.starts_with("tokio")) {
                loud(panic);
            }
        }));
    });
    let fresh = || async {
        let broken = Broken(L::default());
        let honest = broken.0.honest().clone();
        Fixture::from(broken).with_clock(move |time| honest.set_time(time))
    };
    run(fresh, |behaviour| names.contains(&behaviour.name))
}

/// Checks that each of these behaviours fails on the broken driver, and holds of an honest driver.
#[track_caller]
fn caught<L: Breakage>(names: &[&str]) {
    for name in names {
        assert!(behaviours().iter().any(|it| it.name == *name), "no behaviour is called {name}");
    }
    let report = ask::<L>(names);
    for name in names {
        assert!(report.has_failed(name), "{name} does not find the broken driver out: {report}");
    }
    let report = ask::<Honest>(names);
    assert_eq!(report.passed, report_order(names), "honest, and yet: {report}");
}

/// These names in the order in which they are run.
fn report_order(names: &[&str]) -> Vec<&'static str> {
    behaviours().iter().map(|it| it.name).filter(|name| names.contains(name)).collect()
}

#[test]
#[should_panic(expected = "did not end within 50ms")]
fn a_driver_that_blocks_every_thread_is_found_out() {
    let blocks = || async { Broken(breakage::BlocksItsThread::default()) };
    let subject = Subject::new(blocks).call_timeout(Duration::from_millis(50));
    storage_driver_conformance::test(subject, "concurrency::of_many_if_absent_puts_one_succeeds");
}

#[test]
fn a_driver_that_claims_nothing_passes() {
    let quick = behaviours().iter().filter(|it| it.size == Size::Quick);
    let report = ask::<modest::Modest>(&quick.map(|it| it.name).collect::<Vec<_>>());
    assert!(report.is_success(), "{report}");
    assert!(report.left_out.len() > 20 && report.passed.len() > 200, "{report}");
}

/// A test per broken driver: its type, its name, the behaviours that find it out.
macro_rules! broken_drivers {
    ($($module:ident::$broken:ident as $test:ident: [$($name:literal),+ $(,)?];)*) => {
        $(#[test]
        fn $test() {
            caught::<$module::$broken>(&[$($name),+]);
        })*

        /// Prints all that each broken driver is found out by.
        #[test]
        #[ignore = "runs the whole suite on every broken driver, which takes many minutes"]
        fn the_whole_suite_on_every_liar() {
            let quick = || behaviours().iter().filter(|it| it.size == Size::Quick);
            let names: Vec<&str> = quick().map(|it| it.name).collect();
            let mut free = Vec::new();
            $({
                let report = ask::<$module::$broken>(&names);
                let failed: Vec<_> = report.failed.iter().map(|it| it.name).collect();
                eprintln!("{}: {failed:#?}", stringify!($broken));
                if failed.is_empty() {
                    free.push(stringify!($broken));
                }
            })*
            assert!(free.is_empty(), "not found out: {free:?}");
        }
    };
}

broken_drivers! {
    content::TornPut as torn_put: [
        "concurrency::readers_see_one_put_or_another_and_no_mix",
        "cancel_safety::dropped_put_content_stores_once_or_never",
        "model::operations_with_faults_take_effect_once_or_never",
    ];
    content::KeepsTheTail as put_that_keeps_the_tail: [
        "content::shorter_content_replaces_longer_whole",
        "model::sequences_are_answered_as_by_the_model",
    ];
    content::SwapsParts as swapped_parts: ["content::bytes_around_1_mib_come_back"];
    content::IgnoresTheLimit as content_without_a_limit: [
        "content::content_longer_than_the_limit_is_too_large",
        "model::sequences_are_answered_as_by_the_model",
    ];
    content::IgnoresIfVersion as ignored_if_version: [
        "conditions::if_version_fails_where_another_version_is",
        "model::sequences_are_answered_as_by_the_model",
    ];
    content::ChecksThenPuts as lost_race_of_a_precondition: [
        "concurrency::of_many_if_absent_puts_one_succeeds",
        "linearizability::operations_on_one_path_take_effect_at_one_moment",
    ];
    content::ChecksThenPutsAtOnce as lost_race_of_threads: [
        "linearizability::operations_on_one_path_take_effect_at_one_moment",
    ];
    content::RemembersSizes as stale_size_in_stat: ["model::sequences_are_answered_as_by_the_model"];
    content::TakesTheEndIn as off_by_one_range: [
        "reading::a_bounded_range_leaves_out_its_end",
        "model::sequences_are_answered_as_by_the_model",
    ];
    content::CountsLastBytes as more_last_bytes_than_there_are: [
        "reading::more_last_bytes_than_there_are_give_all",
    ];
    content::ForgivesOffsets as forgiven_offset: [
        "reading::offset_past_the_size_is_an_invalid_offset",
    ];
    content::ReadsLive as live_reader: [
        "snapshots::a_reader_holds_its_content_under_a_put",
        "model::sequences_are_answered_as_by_the_model",
    ];
    content::ReadsAppendsLive as live_reader_of_what_was_appended_to: [
        "snapshots::a_reader_of_an_appended_file_holds_its_content_under_an_append",
    ];
    content::SameMomentSameVersion as version_made_of_the_time: [
        "times::other_content_of_the_same_moment_has_another_version",
    ];
    content::EndsEarly as early_end: ["reading::a_reader_gives_all"];
    content::DeniesDirectories as wrong_kind_of_error: ["reading::a_directory_cannot_be_read"];
    content::GivesNoContext as error_without_context: ["errors::errors_of_get_content_say_where"];

    uploads::ShowsUploads as visible_upload: [
        "writing::nothing_is_visible_before_the_commit",
        "model::sequences_are_answered_as_by_the_model",
    ];
    uploads::CreatesOnTop as create_that_goes_on: ["writing::create_discards_the_earlier_upload"];
    uploads::ResumesAnywhere as resume_at_the_wrong_size: [
        "writing::resume_elsewhere_is_an_offset_mismatch",
        "model::sequences_are_answered_as_by_the_model",
    ];
    uploads::CountsFromZero as size_without_what_was_resumed: [
        "writing::resume_continues_the_upload",
    ];
    uploads::FencesOnMismatch as mismatch_that_fences: [
        "fencing::an_offset_mismatch_fences_nobody",
    ];
    uploads::WritesWhenFenced as fenced_writer_that_writes: [
        "fencing::what_a_fenced_writer_sends_joins_nothing",
        "model::sequences_are_answered_as_by_the_model",
    ];
    uploads::SwallowsErrorsOfSync as swallowed_error_of_a_sync: [
        "fencing::a_fenced_writer_cannot_sync",
    ];
    uploads::CloseLosesBytes as close_that_loses_bytes: ["keeping::close_keeps_everything"];
    uploads::DropCancels as drop_that_cancels: ["keeping::a_drop_keeps_everything"];
    uploads::FailedCommitLosesUpload as failed_commit_that_loses_the_upload: [
        "committing::failed_commit_leaves_upload_resumable",
        "model::sequences_are_answered_as_by_the_model",
    ];
    uploads::CancelDeletesTheFile as cancel_that_deletes_the_file: [
        "committing::cancel_leaves_committed_content",
    ];
    uploads::CommitsTwice as commit_to_that_publishes_twice: [
        "committing::commit_to_publishes_at_the_destination_alone",
    ];
    uploads::AppendLosesTheRace as append_that_loses_the_race: [
        "appending::append_commits_only_onto_what_it_started_from",
    ];
    uploads::PutCancelsTheUpload as put_that_cancels_the_upload: [
        "content::a_put_leaves_the_upload_at_its_path_alone",
    ];
    uploads::CancelsTheYoung as sweep_that_takes_the_young: [
        "uploads::cancel_uploads_leaves_the_young",
        "model::sequences_are_answered_as_by_the_model",
    ];

    uploads::TakesTheOlderAlone as sweep_that_leaves_what_is_exactly_as_old: [
        "times::cancel_uploads_takes_an_upload_of_exactly_the_age",
        "times::cancel_uploads_of_any_age_takes_what_was_written_this_moment",
    ];
    uploads::JudgesByStart as sweep_that_judges_by_the_start: [
        "uploads::cancel_uploads_counts_from_the_last_write",
        "times::the_age_of_an_upload_counts_from_its_last_write",
    ];
    uploads::TakesTheFuture as sweep_that_takes_what_was_written_in_the_future: [
        "times::an_upload_written_in_the_future_has_no_age",
    ];
    uploads::NeverDatesAWrite as upload_without_the_time_of_its_last_write: [
        "times::an_upload_says_when_it_was_started_and_last_written",
    ];
    uploads::LosesTheEntryAtTheLimit as page_of_uploads_that_loses_an_entry: [
        "uploads::pages_of_uploads_of_every_limit_join_to_the_whole",
        "uploads::uploads_are_paged",
    ];
    uploads::EndsAtTheLimit as page_of_uploads_that_ends_too_early: [
        "uploads::pages_of_uploads_of_every_limit_join_to_the_whole",
        "uploads::a_page_of_uploads_as_long_as_the_limit_may_be_the_last",
    ];
    uploads::NeverEndsAtTheLimit as page_of_uploads_that_promises_more: [
        "uploads::a_page_of_uploads_as_long_as_the_limit_may_be_the_last",
    ];
    uploads::IgnoresStartBelow as start_of_uploads_that_is_ignored_in_a_directory: [
        "uploads::uploads_of_a_directory_start_after_a_path",
    ];
    uploads::CommitToIgnoresIfVersion as commit_to_that_ignores_if_version: [
        "committing::commit_to_if_version_fails_where_another_is",
        "committing::commit_to_its_own_path_fails_under_a_false_precondition",
    ];
    uploads::OwnCommitIgnoresConditions as commit_to_its_own_path_under_no_condition: [
        "committing::commit_to_its_own_path_fails_under_a_false_precondition",
    ];
    uploads::CommitToTakesUploadsBelow as commit_to_that_cancels_uploads_below: [
        "committing::commit_to_leaves_uploads_under_the_destination",
    ];
    uploads::CreateKeepsTheBase as create_that_remembers_an_append: [
        "appending::create_after_an_append_forgets_what_that_started_from",
    ];
    uploads::AppendChecksContent as append_that_compares_contents: [
        "appending::append_onto_what_was_touched_fails",
        "appending::append_onto_equal_content_of_another_version_fails",
    ];
    uploads::AppendChecksThePathAlone as append_that_is_lost_by_a_rename: [
        "appending::append_onto_what_was_renamed_away_and_back_succeeds",
    ];
    uploads::AppendOfNothingIsNothing as append_of_nothing_without_a_commit: [
        "appending::append_of_nothing_gives_a_new_version",
    ];
    uploads::DropForgetsWhatFollowedASync as drop_that_forgets_what_was_not_synced: [
        "keeping::a_drop_keeps_what_was_written_after_a_sync",
        "keeping::what_was_accepted_before_a_fence_is_kept",
    ];
    uploads::CancelUploadsTakesFiles as sweep_that_takes_files: [
        "uploads::cancel_uploads_leaves_committed_content",
    ];

    context::OfUploads as uploads_without_context: [
        "shutdown::after_shutdown_errors_of_uploads_say_where",
    ];
    context::OfCancelUpload as cancel_upload_without_context: [
        "shutdown::after_shutdown_errors_of_cancelling_say_where",
    ];
    context::OfCancelUploads as cancel_uploads_without_context: [
        "shutdown::after_shutdown_errors_of_cancelling_say_where",
    ];
    context::OfHealth as health_without_context: [
        "shutdown::after_shutdown_errors_of_health_say_where",
    ];
    context::OfReader as reader_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_reading_say_where",
    ];
    context::OfStat as stat_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_looking_up_say_where",
    ];
    context::OfPut as put_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_writing_say_where",
    ];
    context::OfDelete as delete_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_deleting_say_where",
    ];
    context::OfRename as rename_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_moving_say_where",
    ];
    context::OfWriters as writer_with_the_wrong_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_writers_say_where",
    ];

    namespace::DeleteIgnoresIfAbsent as delete_that_ignores_if_absent: [
        "deleting::delete_if_absent_is_unsupported_whatever_is_there",
    ];
    namespace::DeleteChecksFirst as delete_of_nothing_that_fails_its_condition: [
        "deleting::delete_if_version_of_nothing_is_not_found",
    ];
    namespace::ConditionalDeleteLeavesUploads as conditional_deletion_that_leaves_uploads: [
        "deleting::delete_if_version_removes_the_upload_at_the_path",
    ];
    namespace::DeletesUploadsIfVersion as conditional_deletion_of_an_upload: [
        "deleting::delete_if_version_of_an_upload_alone_fails",
    ];
    namespace::FailedDeleteFences as deletion_that_fails_and_fences: [
        "deleting::a_deletion_that_fails_fences_nobody",
    ];
    namespace::DeleteManyLeavesUploads as delete_many_that_leaves_uploads: [
        "deleting::delete_many_removes_the_upload_at_each_path",
    ];
    namespace::ForgetsDirectories as directory_that_goes_with_its_first_child: [
        "namespace::a_directory_stays_when_its_first_child_goes",
    ];
    namespace::FailedRenameMakesDirectories as rename_that_fails_and_makes_directories: [
        "namespace::a_rename_that_fails_leaves_no_directory",
    ];
    namespace::OwnRenameIgnoresConditions as rename_onto_itself_under_no_condition: [
        "renaming::rename_onto_itself_checks_its_precondition",
    ];
    namespace::OwnCopyIgnoresConditions as copy_onto_itself_under_no_condition: [
        "copying::copy_onto_itself_checks_its_precondition",
    ];
    namespace::CopyKeepsTheTime as copy_that_keeps_the_time: ["times::a_copy_is_of_the_moment"];
    namespace::RenameDates as rename_that_sets_the_time: ["times::a_later_rename_keeps_the_time"];

    namespace::KeepsEmptyDirectories as empty_directory: [
        "namespace::the_last_deletion_removes_all_directories_above",
    ];
    namespace::ReplacesDirectories as put_that_replaces_a_directory: [
        "namespace::a_put_at_a_directory_is_a_path_conflict",
    ];
    namespace::RenamesByCopy as rename_that_makes_a_version: ["renaming::rename_keeps_the_version"];
    namespace::RenamesInTwoSteps as rename_that_is_dropped_half_way: [
        "cancel_safety::dropped_rename_moves_once_or_never",
        "model::operations_with_faults_take_effect_once_or_never",
    ];
    namespace::RenamesNothing as rename_of_nothing: [
        "renaming::rename_from_nothing_names_from_and_leaves_to",
        "model::sequences_are_answered_as_by_the_model",
    ];
    namespace::SwallowsItself as directory_that_swallows_itself: [
        "directories::rename_into_own_subtree_is_a_path_conflict",
    ];
    namespace::MovesFileByFile as directory_that_moves_in_parts: [
        "cancel_safety::dropped_rename_dir_loses_no_file",
        "linearizability::operations_on_several_paths_take_effect_at_one_moment",
    ];
    namespace::DeletesSiblings as deletion_of_siblings: ["deleting::delete_dir_of_a_leaves_ab"];
    namespace::DeleteLeavesUploads as deletion_that_leaves_uploads: [
        "deleting::delete_dir_removes_uploads_at_and_below_the_path",
        "model::sequences_are_answered_as_by_the_model",
    ];
    namespace::DeletesTrees as deletion_of_a_tree: [
        "deleting::delete_of_a_directory_is_refused",
        "deleting::delete_if_version_of_a_directory_is_refused",
        "model::sequences_are_answered_as_by_the_model",
    ];
    namespace::DeleteDirTakesFiles as delete_dir_of_a_file: [
        "deleting::delete_dir_of_a_file_is_refused",
    ];
    namespace::DeletesSome as delete_many_that_deletes_some: [
        "deleting::delete_many_of_a_directory_is_refused",
    ];
    namespace::TouchIgnoresConditions as touch_under_no_condition: [
        "copying::touch_takes_if_version",
    ];
    namespace::ChecksConditionsFirst as condition_before_a_conflict: [
        "order::a_conflict_comes_before_a_condition",
        "model::sequences_are_answered_as_by_the_model",
    ];
    uploads::ForgetsNotes as note_that_is_not_kept: [
        "notes::suspend_keeps_the_note_with_the_data",
        "model::sequences_are_answered_as_by_the_model",
    ];
    uploads::NotesRunAhead as note_ahead_of_its_data: [
        "notes::a_drop_never_separates_a_note_from_its_data",
    ];
    uploads::UploadFences as upload_that_fences: [
        "notes::upload_of_an_open_writer_does_not_fence_it",
    ];
    uploads::UploadLooksBelow as upload_of_a_path_below: [
        "notes::upload_of_another_path_is_none",
    ];
    uploads::CreateKeepsTheNote as note_that_outlives_its_upload: [
        "notes::create_starts_without_a_note",
    ];
    listing::NamesIgnoreTheLimit as names_without_a_limit: [
        "listing::a_list_of_names_obeys_start_and_limit",
    ];
    namespace::StopsAtTheMissing as delete_many_that_stops: [
        "deleting::delete_many_passes_over_what_is_missing",
    ];
    namespace::CopySharesTheVersion as copy_that_shares_the_version: [
        "copying::copy_makes_a_new_version",
    ];
    namespace::TouchKeepsTheVersion as touch_that_keeps_the_version: [
        "copying::touch_makes_a_new_version_of_the_same_content",
    ];
    namespace::NeverShutsDown as shutdown_that_still_answers: [
        "shutdown::after_shutdown_nothing_can_be_read",
        "cancel_safety::dropped_shutdown_can_be_called_again",
    ];
    namespace::SwallowsErrorsOfDelete as swallowed_error: [
        "deleting::delete_of_nothing_is_not_found",
    ];

    listing::ListsByPrefix as sibling_of_the_same_prefix: ["listing::list_of_a_leaves_ab_out"];
    listing::ListsNothing as listing_of_nothing: ["listing::list_of_nothing_is_not_found"];
    listing::IgnoresStartAfter as ignored_start: ["listing::list_starts_after_an_entry"];
    listing::IgnoresTheLimit as ignored_limit: ["listing::pages_of_every_limit_join_to_the_whole"];
    listing::RepeatsTheLast as duplicate_entries: ["listing::pages_of_every_limit_join_to_the_whole"];
    listing::ListsStaleMetadata as listing_of_what_was_there_before: [
        "listing::list_says_what_stat_says_after_a_change",
    ];
    listing::ListsUploads as listed_upload: ["namespace::an_upload_is_not_seen_by_list"];
    listing::WalksSkippedDirectories as skipped_directory_that_is_walked: [
        "walking::skip_dir_leaves_out_what_is_below",
    ];
    listing::WalksInByteOrder as wrong_order_of_a_walk: [
        "walking::walk_visits_in_the_order_of_paths",
    ];
}
