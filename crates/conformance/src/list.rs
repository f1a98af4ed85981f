//! The list of all behaviours: the one place where name, clauses, condition and size stand.
//!
//! A line is `name: [clauses] condition size;`, in the group of the module that holds the function.
//!
//! - `if append && copy` asks it only of drivers that claim both; `if clock` only where the fixture
//!   can set the driver's clock;
//! - `unless append || copy` only of drivers that claim neither;
//! - `@full` leaves it out of the default run.
//!
//! The registry and the tests of a backend are both made from it, by macros that get the whole list
//! as their input.

/// Hands the list to a macro. Not for use outside of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __behaviours {
    ($callback:path) => {
        $callback! {
            paths {
                every_valid_path_holds_content: [1.1, 1.4];
                every_valid_path_takes_an_upload: [1.1, 1.4];
                what_is_no_path_cannot_be_made: [1.1, 1.2, 1.4];
                dots_within_a_component_are_ordinary: [1.2];
                names_that_look_like_bookkeeping_are_ordinary: [1.1, 1.4, 2.4];
                letters_of_either_case_are_different: [1.1];
                a_component_of_255_bytes_is_held: [1.1];
                long_names_that_differ_at_their_end_are_different: [1.1];
                the_longest_path_is_held: [1.1];
                the_deepest_path_is_held: [1.1];
                a_walk_reaches_the_deepest_path: [1.1];
                max_path_bytes_is_no_more_than_a_path_can_have: [1.1];
                a_path_longer_than_the_driver_holds_is_an_invalid_path: [1.1];
                paths_order_component_by_component: [1.5];
                the_root_is_a_directory: [1.3, 2.2];
                the_root_can_be_listed: [1.3];
                the_root_can_be_walked: [1.3];
                the_root_names_all_uploads: [1.3];
                the_root_takes_no_content: [1.3];
                the_root_takes_no_upload: [1.3];
                the_root_takes_no_append: [1.3] if append;
                the_root_cannot_be_read: [1.3];
                the_root_cannot_be_deleted: [1.3];
                the_root_is_no_upload_to_cancel: [1.3];
                the_root_is_no_destination_of_a_commit: [1.3, 5.10];
                the_root_cannot_be_renamed: [1.3] if rename_file;
                the_root_cannot_be_renamed_as_a_directory: [1.3] if rename_dir;
                the_root_cannot_be_copied: [1.3] if copy;
                the_root_cannot_be_touched: [1.3] if touch;
            }
            namespace {
                a_file_has_a_path_and_a_size: [2.1, 6.1];
                a_file_of_no_bytes_is_a_file: [2.1];
                other_content_has_another_version: [2.1];
                content_that_nobody_changed_keeps_its_version: [2.1];
                equal_content_is_told_apart_by_its_version: [2.1] if unique_versions;
                no_two_commits_share_a_version: [2.1] if unique_versions;
                a_version_that_returns_means_the_same_content: [2.1] unless unique_versions;
                a_directory_exists_while_a_file_lies_under_it: [2.2];
                the_last_deletion_removes_all_directories_above: [2.2];
                a_directory_stays_while_one_of_its_files_does: [2.2];
                a_directory_stays_when_its_first_child_goes: [2.2, 6.1];
                a_directory_stays_when_its_last_child_goes: [2.2, 6.1];
                an_upload_makes_no_directory: [2.2, 2.4];
                a_cancelled_upload_leaves_no_directory: [2.2, 5.11];
                a_put_that_fails_leaves_no_directory: [2.2, 3.4] if preconditions;
                a_rename_that_fails_leaves_no_directory: [2.2, 7.1] if rename_file && preconditions;
                a_copy_that_fails_leaves_no_directory: [2.2, 7.6] if copy && preconditions;
                the_last_file_renamed_away_takes_its_directory_along: [2.2, 7.1] if rename_file;
                a_put_at_a_directory_is_a_path_conflict: [2.3] if rejects_conflicts;
                a_put_under_a_file_is_a_path_conflict: [2.3] if rejects_conflicts;
                a_commit_at_a_directory_is_a_path_conflict: [2.3, 5.10] if rejects_conflicts;
                a_commit_under_a_file_is_a_path_conflict: [2.3, 5.10] if rejects_conflicts;
                a_commit_to_a_directory_is_a_path_conflict: [2.3, 5.12] if rejects_conflicts;
                a_commit_to_below_a_file_is_a_path_conflict: [2.3, 5.12] if rejects_conflicts;
                stat_prefers_the_file_to_the_directory: [2.3, 10.1] unless rejects_conflicts;
                a_deleted_file_makes_room_for_a_directory: [2.2, 2.3];
                a_deleted_directory_makes_room_for_a_file: [2.2, 2.3];
                an_upload_is_no_conflict: [2.3, 2.4];
                an_upload_is_not_seen_by_stat: [2.4];
                an_upload_is_not_seen_by_list: [2.4];
                an_upload_is_not_seen_by_walk: [2.4];
                an_upload_cannot_be_read: [2.4];
            }
            content {
                no_bytes_come_back: [3.1];
                few_bytes_come_back: [3.1];
                bytes_around_a_page_come_back: [3.1];
                bytes_around_64_kib_come_back: [3.1];
                bytes_around_1_mib_come_back: [3.1];
                bytes_around_3_mib_come_back: [3.1];
                every_byte_value_comes_back: [3.1];
                line_ends_come_back_as_they_are: [3.1];
                many_parts_come_back_in_their_order: [3.1];
                a_part_of_a_bigger_buffer_comes_back_alone: [3.1];
                a_put_answers_what_stat_says: [2.1, 6.1];
                content_comes_with_what_stat_says: [3.2];
                a_range_comes_with_what_stat_says_of_the_whole: [3.2];
                the_parts_of_content_are_its_bytes: [3.2];
                content_as_long_as_the_limit_is_given: [3.2];
                content_longer_than_the_limit_is_too_large: [3.2];
                no_content_fits_a_limit_of_0: [3.2];
                the_limit_of_a_range_is_on_the_range: [3.2];
                the_limit_of_a_range_is_on_what_is_left_of_it: [3.2, 4.1];
                shorter_content_replaces_longer_whole: [3.3];
                longer_content_replaces_shorter_whole: [3.3];
                no_bytes_replace_content: [3.3];
                a_put_leaves_other_files_alone: [3.3];
                a_put_leaves_the_upload_at_its_path_alone: [3.3, 5.7];
            }
            conditions {
                if_absent_stores_where_nothing_is: [3.4] if preconditions;
                if_absent_fails_where_a_file_is: [3.4] if preconditions;
                if_absent_fails_where_a_file_of_no_bytes_is: [3.4] if preconditions;
                if_absent_does_not_see_uploads: [3.4] if preconditions;
                if_absent_stores_after_a_deletion: [3.4] if preconditions;
                if_version_replaces_the_version_that_is_there: [3.4] if preconditions;
                if_version_fails_where_another_version_is: [3.4] if preconditions;
                if_version_fails_where_nothing_is: [3.4] if preconditions;
                if_version_fails_for_a_version_of_nobody: [3.4] if preconditions;
                if_version_fails_for_what_was_deleted_and_put_again: [3.4] if preconditions;
                the_version_of_a_commit_is_one_for_a_condition: [3.4] if preconditions;
            }
            reading {
                a_reader_gives_all: [4.1];
                an_offset_skips_what_is_before_it: [4.1];
                a_bounded_range_leaves_out_its_end: [4.1];
                a_range_within_of_no_bytes_is_empty: [4.1];
                the_last_bytes_are_given: [4.1];
                the_last_0_bytes_are_nothing: [4.1];
                more_last_bytes_than_there_are_give_all: [4.1];
                end_is_clipped_to_the_content: [4.1];
                offset_equal_to_size_gives_an_empty_stream: [4.1];
                offset_past_the_size_is_an_invalid_offset: [4.1];
                a_start_past_its_own_end_is_an_invalid_offset: [4.1];
                a_file_of_no_bytes_has_empty_ranges: [4.1];
                every_range_of_a_small_file_is_right: [4.1];
                ranges_around_round_offsets_are_right: [4.1];
                a_reader_knows_its_file: [4.2];
                a_reader_knows_how_much_is_left: [4.2];
                no_chunk_of_a_stream_is_empty: [4.4];
                after_the_end_it_stays_ended: [4.4];
                small_reads_give_every_byte_once: [4.4];
                lines_can_be_read: [4.4];
                stream_and_reads_can_be_mixed: [4.4];
                many_readers_of_one_file_do_not_see_each_other: [4.5];
                a_reader_does_not_wait_for_a_writer: [4.5];
                a_reader_left_half_way_holds_nobody_up: [4.5, 9.3];
                a_dropped_reader_leaves_the_file_alone: [4.5, 9.1];
                a_directory_cannot_be_read: [4.6];
                nothing_is_not_found: [4.6];
                below_a_file_nothing_is_found: [4.6];
                the_beginning_of_a_name_is_not_found: [4.6];
            }
            snapshots {
                a_reader_holds_its_content_under_a_put: [4.3];
                a_reader_holds_its_content_under_a_shorter_put: [4.3];
                a_reader_holds_its_content_under_a_commit: [4.3];
                a_reader_holds_its_content_under_a_commit_to: [4.3];
                a_reader_holds_its_content_under_an_append: [4.3, 5.5] if append;
                a_reader_of_an_appended_file_holds_its_content_under_an_append: [4.3, 5.5] if append;
                a_reader_of_an_appended_file_holds_its_content_under_a_put: [4.3, 5.5] if append;
                a_reader_of_a_copy_holds_its_content_under_an_append: [4.3, 5.5, 7.6] if append && copy;
                a_reader_holds_its_content_under_a_deletion: [4.3];
                a_reader_holds_its_content_under_the_deletion_of_the_directory: [4.3];
                a_reader_holds_its_content_under_a_rename_away: [4.3, 7.1] if rename_file;
                a_reader_holds_its_content_under_a_rename_onto_it: [4.3, 7.1] if rename_file;
                a_reader_holds_its_content_under_a_rename_of_the_directory: [4.3, 7.2] if rename_dir;
                a_reader_holds_its_content_under_a_copy_onto_it: [4.3, 7.6] if copy;
                a_reader_holds_its_content_under_a_touch: [4.3, 7.7] if touch;
                a_reader_holds_its_content_under_many_changes: [4.3];
            }
            writing {
                nothing_is_visible_before_the_commit: [5.1];
                all_is_visible_after_the_commit: [5.1];
                old_content_is_readable_until_the_commit: [5.1];
                a_commit_replaces_longer_content_whole: [5.1];
                a_commit_answers_what_stat_says: [5.1, 6.1];
                a_commit_of_no_bytes_makes_a_file: [5.1];
                a_committed_upload_is_no_longer_in_progress: [5.1, 5.4];
                an_upload_can_follow_an_upload: [5.1];
                pieces_join_in_their_order: [5.1];
                many_small_pieces_join: [5.1, 5.8];
                one_big_piece_is_taken: [5.1, 5.8];
                parts_of_one_buffer_are_told_apart: [5.1];
                a_range_of_an_uploaded_file_crosses_its_pieces: [4.1, 5.1];
                uploads_at_different_paths_do_not_mix: [5.1];
                create_starts_empty: [5.3];
                create_discards_the_earlier_upload: [5.3];
                create_leaves_committed_content: [5.3];
                create_leaves_uploads_at_other_paths: [5.3];
                resume_continues_the_upload: [5.4];
                resume_continues_any_number_of_times: [5.4];
                resume_continues_beyond_a_big_piece: [5.4];
                an_upload_of_no_bytes_can_be_resumed: [5.4];
                resume_without_an_upload_is_not_found: [5.4];
                resume_does_not_find_uploads_nearby: [5.4];
                resume_after_a_cancel_is_not_found: [5.4, 5.11];
                resume_at_the_size_continues: [5.4, 5.6];
                resume_elsewhere_is_an_offset_mismatch: [5.6];
                an_offset_mismatch_counts_what_an_open_writer_wrote: [5.6];
                size_counts_every_byte: [5.8];
                a_writer_knows_its_path: [5.8];
                a_write_of_no_bytes_changes_nothing: [5.8];
                a_wrong_size_hint_changes_no_result: [5.15];
                vouching_for_buffers_changes_no_result: [5.15];
            }
            keeping {
                close_keeps_everything: [5.9];
                sync_keeps_everything_through_a_drop: [5.9];
                writing_goes_on_after_a_sync: [5.9];
                a_drop_keeps_everything: [5.9] if keeps_on_drop;
                a_drop_keeps_what_was_written_after_a_sync: [5.9] if keeps_on_drop;
                what_was_accepted_before_a_fence_is_kept: [5.7, 5.9] if keeps_on_drop;
                a_drop_keeps_a_beginning_no_shorter_than_the_last_sync: [5.9, 10.1] unless keeps_on_drop;
                a_writer_dropped_after_a_sync_can_be_found: [5.9, 5.16, 9.1];
                a_dropped_write_is_accepted_whole_or_not_at_all: [5.14, 9.1];
                a_writer_takes_more_than_it_can_hold: [5.14];
            }
            fencing {
                create_fences: [5.7];
                resume_fences: [5.7];
                resume_at_an_offset_fences: [5.7];
                a_resumed_writer_is_fenced_in_turn: [5.7];
                an_append_is_fenced_by_a_resume: [5.5, 5.7] if append;
                an_append_is_fenced_by_a_create: [5.5, 5.7] if append;
                an_append_fences_the_writer_of_what_was_cancelled: [5.5, 5.7] if append;
                cancel_upload_fences: [5.7, 5.16];
                delete_fences: [5.7, 7.4];
                delete_of_a_directory_fences: [5.7, 7.4];
                delete_many_fences: [5.7, 7.5];
                a_fenced_writer_cannot_sync: [5.7];
                a_fenced_writer_cannot_close: [5.7];
                a_fenced_writer_cannot_commit: [5.7];
                a_fenced_writer_cannot_commit_elsewhere: [5.7];
                a_fenced_writer_cannot_cancel: [5.7];
                what_a_fenced_writer_sends_joins_nothing: [5.7];
                the_drop_of_a_fenced_writer_leaves_the_successor_alone: [5.7];
                a_writer_stays_fenced_after_the_successor_committed: [5.7];
                a_writer_stays_fenced_after_the_successor_closed: [5.7];
                a_writer_stays_fenced_after_the_successor_cancelled: [5.7];
                a_cancelled_upload_made_anew_is_not_the_old_one: [5.7];
                put_content_fences_nobody: [5.7];
                a_rename_onto_the_path_fences_nobody: [5.7, 7.1] if rename_file;
                a_rename_of_the_content_at_the_path_fences_nobody: [5.7, 7.1] if rename_file;
                a_copy_onto_the_path_fences_nobody: [5.7, 7.6] if copy;
                a_touch_fences_nobody: [5.7, 7.7] if touch;
                a_commit_to_the_path_fences_nobody: [5.7, 5.12];
                a_rename_of_the_directory_fences_nobody: [5.7, 7.2] if rename_dir;
                an_offset_mismatch_fences_nobody: [5.6, 5.7];
                a_refused_append_fences_nobody: [5.5, 5.7] if append;
                a_writer_of_another_path_fences_nobody: [5.7];
                a_reader_fences_nobody: [5.7];
                a_deletion_of_a_sibling_fences_nobody: [5.7, 7.4];
            }
            appending {
                append_extends_the_content: [5.5] if append;
                append_extends_again_and_again: [5.5] if append;
                append_extends_big_content: [5.5] if append;
                append_extends_an_uploaded_file: [5.5] if append;
                append_of_nothing_keeps_the_content: [5.5] if append;
                append_at_the_size_extends: [5.5, 5.6] if append;
                append_elsewhere_is_an_offset_mismatch: [5.5, 5.6] if append;
                append_to_nothing_is_not_found: [5.5] if append;
                append_below_a_file_is_not_found: [5.5] if append;
                append_to_a_directory_is_refused: [5.5] if append;
                append_beside_an_upload_is_refused: [5.5] if append;
                append_beside_an_append_is_refused: [5.5] if append;
                append_leaves_the_content_as_it_is_until_the_commit: [5.5] if append;
                append_that_is_cancelled_leaves_the_content: [5.5, 5.11] if append;
                append_can_be_resumed: [5.4, 5.5] if append;
                append_commits_only_onto_what_it_started_from: [5.5, 5.10] if append;
                append_that_was_resumed_still_knows_what_it_started_from: [5.5] if append;
                append_does_not_bring_back_what_was_renamed_away: [5.5, 7.1] if append && rename_file;
                append_commits_elsewhere_whatever_became_of_its_base: [5.5, 5.12] if append;
                append_to_its_own_path_by_commit_to_checks_its_base: [5.5, 5.12] if append;
                append_starts_from_what_was_there_when_it_was_opened: [5.5] if append;
                append_leaves_a_copy_of_its_base_alone: [5.5, 7.6] if append && copy;
                append_leaves_open_readers_alone: [4.3, 5.5] if append;
                append_gives_a_new_version: [2.1, 5.5] if append;
                append_of_nothing_gives_a_new_version: [2.1, 5.5] if append && unique_versions;
                a_range_of_an_appended_file_crosses_its_pieces: [4.1, 5.5] if append;
                create_after_an_append_forgets_what_that_started_from: [5.3, 5.5] if append;
                append_onto_what_was_touched_fails: [5.5, 7.7] if append && touch;
                append_onto_equal_content_of_another_version_fails: [5.5] if append && rename_file && unique_versions;
                append_onto_what_was_renamed_away_and_back_succeeds: [2.1, 5.5, 7.1] if append && rename_file;
                append_to_its_own_path_by_commit_to_checks_both_conditions: [5.5, 5.12] if append && conditional_commit;
                append_that_is_not_claimed_is_unsupported: [5.5, 10.1] unless append;
            }
            committing {
                commit_to_publishes_at_the_destination_alone: [5.12];
                commit_to_replaces_the_destination: [5.12];
                commit_to_publishes_big_uploads: [5.12];
                commit_to_leaves_the_content_at_its_own_path: [5.12];
                commit_to_leaves_the_upload_at_the_destination: [5.12];
                commit_to_its_own_path_is_a_commit: [5.12];
                commit_to_its_own_path_takes_a_precondition: [5.12] if conditional_commit;
                commit_to_its_own_path_fails_under_a_false_precondition: [5.10, 5.12] if conditional_commit;
                a_commit_that_fails_leaves_no_directory: [2.2, 5.10] if conditional_commit;
                commit_to_leaves_uploads_under_the_destination: [5.12];
                commit_to_below_its_own_path_is_no_conflict: [5.12];
                commit_to_takes_if_absent: [5.12] if conditional_commit;
                commit_to_if_absent_fails_where_a_file_is: [5.10, 5.12] if conditional_commit;
                commit_to_takes_if_version: [5.12] if conditional_commit;
                commit_to_if_version_fails_where_another_is: [5.10, 5.12] if conditional_commit;
                commit_to_if_version_fails_where_nothing_is: [5.10, 5.12] if conditional_commit;
                the_condition_of_commit_to_is_on_the_destination: [5.12] if conditional_commit;
                failed_commit_leaves_upload_resumable: [5.10] if conditional_commit;
                failed_commit_into_a_conflict_leaves_upload_resumable: [2.3, 5.10] if rejects_conflicts;
                failed_commit_to_the_root_leaves_upload_resumable: [1.3, 5.10];
                a_commit_can_fail_many_times_and_then_succeed: [5.4, 5.10] if conditional_commit;
                a_conditional_commit_that_is_not_claimed_is_unsupported: [5.10, 5.12, 10.1] unless conditional_commit;
                cancel_removes_the_upload: [5.11];
                cancel_leaves_committed_content: [5.11];
                cancel_leaves_uploads_nearby: [5.11];
                cancel_removes_what_was_resumed: [5.11];
            }
            adapters {
                write_all_writes_all: [5.13];
                small_async_writes_join: [5.13];
                what_an_async_write_answers_is_what_it_accepted: [5.8, 5.13];
                the_buffer_of_an_async_write_can_be_used_again: [5.13];
                a_pending_poll_write_has_accepted_nothing: [5.13];
                flush_does_not_commit: [5.13];
                shutdown_does_not_commit: [5.13];
                shutdown_keeps_everything: [5.9, 5.13];
                after_shutdown_no_write_is_taken: [5.13];
                a_sink_takes_all_that_is_sent: [5.13];
                a_stream_forwarded_into_a_sink_can_be_committed: [5.13];
                closing_the_sink_keeps_everything_and_commits_nothing: [5.9, 5.13];
                flushing_the_sink_does_not_commit: [5.13];
                all_ways_of_writing_can_be_mixed: [5.13];
                content_can_be_copied_from_reader_to_writer: [4.4, 5.13];
                an_error_of_the_source_leaves_what_came_before_it: [5.13, 8.3];
                a_fenced_writer_says_so_through_the_adapters: [5.7, 5.13, 8.4];
            }
            uploads {
                an_upload_is_listed_from_its_creation_to_its_end: [5.16];
                uploads_come_in_the_order_of_their_paths: [1.5, 5.16];
                uploads_are_those_at_and_under_the_path: [5.16];
                where_no_upload_is_the_page_is_empty: [5.16];
                uploads_are_listed_beside_files: [5.16];
                an_upload_says_its_size_where_that_is_known: [5.8, 5.16];
                an_upload_keeps_the_time_of_its_start: [5.16];
                uploads_are_paged: [5.16];
                pages_of_uploads_of_every_limit_join_to_the_whole: [5.16];
                a_page_of_uploads_as_long_as_the_limit_may_be_the_last: [5.16];
                uploads_of_a_directory_start_after_a_path: [5.16];
                a_page_of_no_uploads_says_whether_there_are_more: [5.16];
                uploads_start_after_a_path_that_need_not_exist: [5.16];
                cancel_upload_removes_the_upload: [5.16];
                cancel_upload_leaves_committed_content: [5.16];
                cancel_upload_leaves_uploads_nearby: [5.16];
                cancel_upload_of_none_is_not_found: [5.16];
                cancel_upload_a_second_time_is_not_found: [5.16];
                cancel_uploads_removes_those_at_and_under_the_path: [5.16];
                cancel_uploads_of_the_root_removes_all: [5.16];
                cancel_uploads_leaves_the_young: [5.16];
                cancel_uploads_counts_from_the_last_write: [5.16];
                cancel_uploads_leaves_committed_content: [5.16];
                cancel_uploads_where_none_is_counts_0: [5.16];
                cancel_uploads_fences: [5.7, 5.16];
                cancel_uploads_goes_beyond_one_page: [5.16];
            }
            listing {
                stat_tells_a_file: [6.1];
                stat_tells_a_directory: [6.1];
                stat_of_nothing_is_not_found: [6.1];
                stat_below_a_file_is_not_found: [6.1];
                stat_of_the_beginning_of_a_name_is_not_found: [6.1];
                list_gives_direct_children_alone: [6.2];
                list_tells_files_from_directories: [6.2];
                list_sorts_by_name: [6.2];
                list_says_what_stat_says: [6.2];
                list_says_what_stat_says_after_a_change: [6.2];
                list_gives_a_directory_of_many_files_once: [6.2, 6.5];
                list_of_a_leaves_ab_out: [6.2];
                list_of_a_file_is_refused: [6.2];
                list_of_nothing_is_not_found: [6.2, 6.3];
                list_of_an_empty_root_is_empty: [6.2];
                pages_of_every_limit_join_to_the_whole: [6.3];
                a_page_as_long_as_the_limit_may_be_the_last: [6.3];
                a_page_of_limit_0_says_whether_there_is_more: [6.3];
                the_greatest_limit_gives_all: [6.3];
                a_limit_that_is_not_set_is_1000: [6.3];
                list_starts_after_an_entry: [6.3];
                list_starts_after_a_path_that_is_not_there: [6.3];
                list_starts_after_a_path_elsewhere: [6.3];
                list_starts_after_what_was_deleted_since: [6.3, 6.5];
                limit_and_start_go_together: [6.3];
                list_follows_every_change: [6.2, 6.5];
                a_list_of_names_has_the_names: [6.6];
                a_list_of_names_obeys_start_and_limit: [6.3, 6.6];
                a_list_of_names_fails_as_a_list_does: [6.2, 6.6];
            }
            walking {
                walk_gives_everything_below_once: [6.4, 6.5];
                walk_leaves_its_start_out: [6.4];
                walk_tells_files_from_directories: [6.4];
                walk_visits_depth_first_and_keeps_subtrees_together: [6.4];
                walk_visits_in_the_order_of_paths: [1.5, 6.4] if ordered_walk;
                walk_of_a_leaves_ab_out: [6.4];
                walk_of_a_file_is_refused: [6.4];
                walk_of_nothing_is_not_found: [6.4];
                walk_of_an_empty_root_is_empty: [6.4];
                walk_stays_ended: [6.4];
                skip_dir_leaves_out_what_is_below: [6.4];
                skip_dir_of_every_directory_gives_the_children: [6.4];
                skip_dir_after_a_file_changes_nothing: [6.4];
                walk_starts_after_each_entry: [6.4];
                walk_that_starts_after_an_entry_keeps_the_order: [1.5, 6.4] if ordered_walk;
                walk_starts_after_a_path_that_is_not_there: [6.4];
                walk_of_a_directory_starts_after_a_path: [6.4];
                walk_that_started_after_a_path_can_skip: [6.4];
                walk_goes_beyond_one_page: [6.4, 6.5];
                walk_passes_over_what_vanishes: [6.5];
                walk_passes_over_a_directory_that_becomes_a_file: [6.5];
                a_walk_shows_one_moment: [6.5] if snapshot_listing;
                a_walk_left_half_way_holds_nobody_up: [6.4, 9.3];
            }
            renaming {
                rename_moves_a_file: [7.1] if rename_file;
                rename_replaces_a_file: [7.1] if rename_file;
                rename_keeps_the_version: [2.1, 7.1] if rename_file;
                rename_keeps_the_time: [7.1, 7.2] if rename_file && atomic_rename;
                rename_moves_big_content: [7.1] if rename_file;
                rename_takes_if_absent: [7.1] if rename_file && preconditions;
                rename_takes_if_version_of_the_destination: [7.1] if rename_file && preconditions;
                rename_from_nothing_names_from_and_leaves_to: [7.3] if rename_file;
                rename_from_an_upload_is_not_found: [2.4, 7.3] if rename_file;
                rename_of_a_directory_is_refused: [7.1, 7.3] if rename_file;
                rename_onto_a_directory_is_a_path_conflict: [7.3] if rename_file && rejects_conflicts;
                rename_onto_its_own_directory_is_a_path_conflict: [7.3] if rename_file && rejects_conflicts;
                rename_under_a_file_is_a_path_conflict: [7.3] if rename_file && rejects_conflicts;
                rename_under_itself_is_a_path_conflict: [7.3] if rename_file;
                rename_onto_itself_changes_nothing: [7.3] if rename_file;
                rename_onto_itself_checks_its_precondition: [7.1, 7.3] if rename_file && preconditions;
                rename_of_nothing_onto_itself_is_not_found: [7.3] if rename_file;
                rename_leaves_uploads_at_both_ends: [5.7, 7.1] if rename_file;
                rename_leaves_siblings: [7.1] if rename_file;
                rename_that_is_not_claimed_is_unsupported: [7.1, 10.1] unless rename_file;
            }
            directories {
                rename_dir_moves_everything_under_it: [7.2] if rename_dir;
                rename_dir_keeps_versions: [7.2] if rename_dir;
                rename_dir_keeps_times: [7.2] if rename_dir && atomic_rename;
                rename_dir_moves_many_files: [7.2] if rename_dir;
                rename_dir_of_a_leaves_ab: [7.2] if rename_dir;
                rename_dir_to_a_name_that_begins_alike: [7.2] if rename_dir;
                rename_dir_moves_up_and_down: [7.2] if rename_dir;
                rename_dir_onto_a_directory_is_a_path_conflict: [7.2, 7.3] if rename_dir;
                rename_dir_onto_a_file_is_a_path_conflict: [7.2, 7.3] if rename_dir;
                rename_dir_under_a_file_is_a_path_conflict: [7.3] if rename_dir && rejects_conflicts;
                rename_into_own_subtree_is_a_path_conflict: [7.3] if rename_dir;
                rename_dir_onto_itself_changes_nothing: [7.3] if rename_dir;
                rename_dir_from_nothing_names_from_and_leaves_to: [7.3] if rename_dir;
                rename_dir_of_a_file_is_refused: [7.2, 7.3] if rename_dir;
                rename_dir_leaves_uploads_where_they_are: [5.7, 7.2] if rename_dir;
                rename_dir_that_makes_a_path_too_long_moves_nothing: [1.1, 7.2] if rename_dir;
                rename_dir_that_is_not_claimed_is_unsupported: [7.2, 10.1] unless rename_dir;
            }
            copying {
                copy_makes_a_second_file: [7.6] if copy;
                copy_makes_a_new_version: [2.1, 7.6] if copy && unique_versions;
                copy_replaces_a_file: [7.6] if copy;
                copy_copies_big_content: [7.6] if copy;
                a_copy_outlives_changes_of_its_source: [7.6] if copy;
                a_source_outlives_changes_of_its_copy: [7.6] if copy;
                copy_takes_if_absent: [7.6] if copy && preconditions;
                copy_takes_if_version_of_the_destination: [7.6] if copy && preconditions;
                copy_from_nothing_names_from_and_leaves_to: [7.3, 7.6] if copy;
                copy_of_a_directory_is_refused: [7.6] if copy;
                copy_onto_a_directory_is_a_path_conflict: [7.3, 7.6] if copy && rejects_conflicts;
                copy_under_a_file_is_a_path_conflict: [7.3, 7.6] if copy && rejects_conflicts;
                copy_onto_itself_changes_nothing: [7.3, 7.6] if copy;
                copy_onto_itself_checks_its_precondition: [7.3, 7.6] if copy && preconditions;
                copy_leaves_uploads_at_both_ends: [5.7, 7.6] if copy;
                copy_that_is_not_claimed_is_unsupported: [7.6, 10.1] unless copy;
                touch_makes_a_new_version_of_the_same_content: [7.7] if touch;
                touch_sets_the_time: [7.7] if touch;
                touch_saves_a_file_from_its_collector: [7.4, 7.7] if touch && preconditions;
                touch_of_nothing_is_not_found: [7.7] if touch;
                touch_of_a_directory_is_refused: [7.7] if touch;
                touch_takes_if_version: [7.7] if touch && preconditions;
                touch_if_absent_is_unsupported: [7.7] if touch;
                a_conditional_touch_that_is_not_claimed_is_unsupported: [7.7, 10.1] if touch unless preconditions;
                touch_that_is_not_claimed_is_unsupported: [7.7, 10.1] unless touch;
            }
            deleting {
                delete_removes_a_file: [7.4];
                delete_of_a_directory_is_refused: [7.4];
                delete_of_a_file_leaves_uploads_below_it: [7.4];
                delete_of_nothing_above_uploads_is_not_found: [7.4];
                delete_dir_removes_everything_below: [7.4];
                delete_dir_removes_many_files: [7.4];
                delete_dir_removes_uploads_at_and_below_the_path: [7.4];
                delete_dir_of_uploads_alone_succeeds: [7.4];
                delete_dir_of_a_file_is_refused: [7.4];
                delete_dir_of_nothing_is_not_found: [7.4];
                delete_dir_a_second_time_is_not_found: [7.4];
                delete_dir_of_the_root_is_an_invalid_path: [1.3, 7.4];
                delete_dir_fences_writers_at_and_below_it: [5.7, 7.4];
                delete_dir_of_a_leaves_ab: [7.4];
                delete_of_a_file_removes_the_upload_at_its_path: [7.4];
                delete_of_an_upload_alone_succeeds: [7.4];
                delete_of_an_upload_alone_fences: [5.7, 7.4];
                a_deletion_that_fails_fences_nobody: [5.7, 7.4];
                delete_of_the_file_a_leaves_ab: [7.4];
                delete_of_nothing_is_not_found: [7.4];
                delete_a_second_time_is_not_found: [7.4];
                what_was_deleted_can_be_put_again: [7.4];
                delete_takes_if_version: [7.4] if preconditions;
                delete_if_version_fails_where_another_is: [3.4, 7.4] if preconditions;
                delete_if_version_of_a_directory_is_refused: [7.4] if preconditions;
                delete_if_version_of_nothing_is_not_found: [7.4] if preconditions;
                delete_if_version_removes_the_upload_at_the_path: [7.4] if preconditions;
                delete_if_version_of_an_upload_alone_fails: [7.4] if preconditions;
                delete_if_absent_is_unsupported_whatever_is_there: [7.4];
                delete_of_the_root_if_absent_is_an_invalid_path: [1.3, 7.4];
                a_conditional_put_or_delete_that_is_not_claimed_is_unsupported: [3.4, 7.4, 10.1] unless preconditions;
                delete_many_deletes_each: [7.5];
                delete_many_removes_the_upload_at_each_path: [7.5];
                delete_many_of_a_directory_is_refused: [7.5];
                delete_many_passes_over_what_is_missing: [7.5];
                delete_many_takes_a_path_twice_and_below_another: [7.5];
                delete_many_of_no_path_changes_nothing: [7.5];
                delete_many_takes_thousands: [7.5];
            }
            notes {
                suspend_keeps_the_note_with_the_data: [5.9, 5.17];
                sync_keeps_the_note_through_a_drop: [5.9, 5.17];
                a_drop_keeps_the_note_with_the_data: [5.9, 5.17] if keeps_on_drop;
                a_drop_never_separates_a_note_from_its_data: [5.17];
                the_last_note_counts: [5.17];
                an_empty_note_removes_the_note: [5.17];
                a_note_may_be_any_bytes_up_to_its_limit: [5.17];
                a_note_beyond_the_limit_is_refused_and_the_old_one_stays: [5.17];
                a_note_without_data_is_kept: [5.17];
                data_after_the_note_leaves_the_note: [5.17];
                create_starts_without_a_note: [5.3, 5.17];
                append_starts_without_a_note: [5.5, 5.17] if append;
                notes_of_different_uploads_do_not_mix: [5.17];
                a_note_is_gone_after_the_commit: [5.1, 5.17];
                a_commit_that_fails_keeps_the_note: [5.10, 5.17] if conditional_commit;
                a_note_of_a_fenced_writer_does_not_reach_its_successor: [5.7, 5.17];
                a_note_set_before_the_fence_is_kept: [5.9, 5.17] if keeps_on_drop;
                upload_reports_size_and_note: [5.16, 5.17];
                upload_reports_an_empty_note_if_there_is_none: [5.16, 5.17];
                upload_of_an_open_writer_does_not_fence_it: [5.7, 5.16];
                upload_of_another_path_is_none: [5.16];
                upload_of_the_root_is_an_invalid_path: [1.3, 5.16];
                upload_is_none_after_a_cancel: [5.11, 5.16];
                notes_in_a_listing_are_those_of_the_uploads: [5.16, 5.17];
            }
            order {
                an_invalid_path_comes_before_all_other_errors: [1.3, 8.6];
                an_unsupported_condition_comes_before_a_missing_path: [8.6] if touch;
                a_missing_source_comes_before_a_conflict: [7.3, 8.6] if rename_file && preconditions;
                a_missing_directory_comes_before_a_conflict: [7.3, 8.6] if rename_dir;
                a_source_that_is_a_directory_comes_before_a_conflict: [8.6] if rename_file && preconditions;
                the_source_of_a_copy_comes_before_a_conflict: [8.6] if copy && preconditions;
                a_conflict_comes_before_a_condition: [8.6] if rejects_conflicts && preconditions;
                a_conflict_of_a_commit_comes_before_its_condition: [8.6] if rejects_conflicts && conditional_commit;
                a_conflict_of_a_rename_comes_before_its_condition: [8.6] if rejects_conflicts && rename_file && preconditions;
                a_conflict_of_a_copy_comes_before_its_condition: [8.6] if rejects_conflicts && copy && preconditions;
                a_directory_comes_before_a_condition: [8.6] if preconditions;
                a_directory_comes_before_the_condition_of_a_touch: [8.6] if touch && preconditions;
                an_append_fails_with_the_first_of_its_errors: [5.5, 8.6] if append;
            }
            errors {
                errors_of_get_content_say_where: [8.1];
                errors_of_get_range_say_where: [8.1];
                errors_of_reader_say_where: [8.1];
                errors_of_put_content_say_where: [8.1];
                errors_of_writer_say_where: [8.1];
                errors_of_stat_and_list_say_where: [8.1];
                errors_of_walk_say_where: [8.1];
                errors_of_deletions_say_where: [8.1];
                errors_of_moves_say_where: [8.1];
                errors_of_a_redirect_say_where: [8.1] unless redirect;
                errors_of_a_writer_in_mid_stream_say_where: [8.1, 8.4];
                errors_of_commit_to_say_where: [8.1, 8.4];
                callers_can_ask_what_an_error_is: [8.2];
                an_error_comes_back_out_of_an_io_error: [8.3];
                an_adapter_carries_the_error: [8.3, 8.4];
                a_foreign_io_error_keeps_its_kind_and_is_the_source: [8.3];
                extreme_numbers_are_no_reason_to_panic: [8.5];
                an_append_that_fails_says_where: [5.5, 8.1] if append;
            }
            cancellation {
                what_is_never_polled_does_nothing: [9.1];
                a_dropped_put_takes_effect_once_or_never: [3.3, 9.1];
                a_dropped_deletion_takes_effect_once_or_never: [7.4, 9.1];
                a_dropped_commit_takes_effect_or_leaves_the_upload: [5.10, 9.1];
                a_dropped_commit_to_leaves_no_part_at_the_destination: [5.12, 9.1];
                a_dropped_cancel_removes_the_upload_or_leaves_it: [5.11, 9.1];
                a_dropped_rename_leaves_the_file_at_one_end: [7.1, 9.1] if rename_file && atomic_rename;
                a_dropped_rename_of_a_directory_leaves_it_whole: [7.2, 9.1] if rename_dir && atomic_rename;
                a_dropped_opening_leaves_what_can_be_found: [5.16, 9.1];
                dropped_uploads_can_be_listed_and_swept: [5.16, 9.1];
            }
            concurrency {
                of_many_if_absent_puts_one_succeeds: [3.4] if preconditions;
                of_many_if_version_puts_one_succeeds: [3.4] if preconditions;
                of_many_if_absent_commits_one_succeeds: [3.4, 5.12] if conditional_commit;
                of_many_if_absent_renames_one_succeeds: [3.4, 7.1] if rename_file && preconditions;
                of_many_deletions_one_succeeds: [7.4, 9.2] if linearizable;
                of_many_renames_of_a_file_one_succeeds: [7.1, 9.2] if rename_file && atomic_rename;
                nobody_loses_an_update_under_if_version: [3.4] if preconditions;
                a_file_and_a_directory_never_come_to_be_at_one_path: [2.3] if rejects_conflicts;
                readers_see_one_put_or_another_and_no_mix: [3.3, 4.3];
                readers_see_one_commit_or_another_and_no_mix: [4.3, 5.1];
                readers_see_one_commit_to_or_another_and_no_mix: [4.3, 5.12];
                readers_see_one_rename_or_another_and_no_mix: [4.3, 7.1] if rename_file && atomic_rename;
                what_stat_says_is_of_one_file: [2.1, 6.1];
                uploads_at_once_do_not_mix: [5.1, 5.8];
                writers_of_one_path_at_once_leave_one_upload_whole: [5.3, 5.7];
                many_tasks_read_one_file: [4.5];
                what_is_open_holds_nobody_up: [4.5, 9.3];
                listings_give_what_stays_once: [6.5];
                a_page_is_of_one_moment: [6.5] if snapshot_listing;
                a_whole_walk_is_of_one_moment: [6.5] if snapshot_listing;
                a_rename_is_seen_at_one_end: [7.1, 9.2] if rename_file && atomic_rename && snapshot_listing;
                a_rename_of_a_directory_is_seen_whole: [7.2, 9.2] if rename_dir && atomic_rename && snapshot_listing;
                what_one_task_did_every_task_sees: [9.2];
            }
            shutdown {
                after_shutdown_nothing_can_be_read: [9.4];
                after_shutdown_nothing_can_be_looked_up: [9.4];
                after_shutdown_nothing_can_be_written: [9.4];
                after_shutdown_nothing_can_be_deleted: [9.4];
                after_shutdown_nothing_can_be_moved: [9.4];
                after_shutdown_open_writers_are_at_an_end: [9.4];
                after_shutdown_errors_of_reading_say_where: [8.1, 9.4];
                after_shutdown_errors_of_looking_up_say_where: [8.1, 9.4];
                after_shutdown_errors_of_writing_say_where: [8.1, 9.4];
                after_shutdown_errors_of_uploads_say_where: [8.1, 9.4];
                after_shutdown_errors_of_cancelling_say_where: [8.1, 9.4];
                after_shutdown_errors_of_deleting_say_where: [8.1, 9.4];
                after_shutdown_errors_of_moving_say_where: [8.1, 9.4];
                after_shutdown_errors_of_health_say_where: [8.1, 9.4, 10.4];
                after_shutdown_errors_of_writers_say_where: [8.1, 8.4, 9.4];
                after_shutdown_an_open_reader_gives_no_mix: [9.4];
                a_second_shutdown_does_nothing: [9.4];
                a_shutdown_with_uploads_open_does_not_wait_for_them: [9.4];
                a_store_that_works_is_healthy: [10.4];
                asking_for_health_changes_nothing: [10.4];
                after_shutdown_a_store_is_not_healthy: [9.4, 10.4];
            }
            times {
                a_put_is_of_the_moment: [2.1, 6.1] if clock;
                a_commit_is_of_the_moment: [2.1, 5.1] if clock;
                a_later_rename_keeps_the_time: [7.1] if clock && rename_file && atomic_rename;
                a_later_rename_of_a_directory_keeps_times: [7.2] if clock && rename_dir && atomic_rename;
                a_copy_is_of_the_moment: [7.6] if clock && copy;
                a_touch_is_of_the_moment: [7.7] if clock && touch;
                other_content_of_the_same_moment_has_another_version: [2.1] if clock;
                a_touch_at_the_same_moment_makes_another_version: [7.7] if clock && touch;
                an_upload_says_when_it_was_started_and_last_written: [5.16] if clock;
                create_dates_the_upload_anew: [5.3, 5.16] if clock;
                an_append_is_dated_by_its_opening: [5.5, 5.16] if clock && append;
                cancel_uploads_takes_an_upload_of_exactly_the_age: [5.16] if clock;
                cancel_uploads_leaves_an_upload_a_second_younger: [5.16] if clock;
                cancel_uploads_of_any_age_takes_what_was_written_this_moment: [5.16] if clock;
                an_upload_written_in_the_future_has_no_age: [5.16] if clock;
                the_age_of_an_upload_counts_from_its_last_write: [5.16] if clock;
                cancel_uploads_takes_the_old_and_leaves_the_young: [5.16] if clock;
            }
            capabilities {
                capabilities_are_the_same_at_every_call: [10.1];
                the_name_is_one_word_in_lower_case: [8.1];
                claims_that_imply_others_hold_together: [9.2, 10.5] if linearizable;
                a_redirect_is_a_url_or_none: [10.3] if redirect;
                a_redirect_that_is_not_claimed_is_unsupported: [10.1, 10.3] unless redirect;
            }
            cancel_safety {
                dropped_put_content_stores_once_or_never: [3.3, 9.1];
                dropped_conditional_put_stores_once_or_never: [3.4, 9.1] if preconditions;
                dropped_get_content_changes_nothing: [9.1];
                dropped_reader_opens_nothing: [9.1];
                dropped_read_takes_no_bytes: [4.4, 9.1];
                dropped_looks_change_nothing: [9.1];
                dropped_walk_step_skips_nothing: [6.4, 9.1];
                dropped_create_discards_the_earlier_upload_or_not: [5.3, 9.1];
                dropped_resume_loses_nothing: [5.4, 9.1];
                dropped_append_starts_an_upload_or_none: [5.5, 9.1] if append;
                dropped_write_accepts_all_or_nothing: [5.14, 9.1];
                dropped_sync_can_be_called_again: [5.9, 9.1];
                dropped_close_keeps_what_a_drop_keeps: [5.9, 9.1];
                dropped_commit_publishes_or_stays_resumable: [5.10, 9.1];
                dropped_commit_of_an_append_publishes_once_or_stays_resumable: [5.5, 9.1] if append;
                dropped_commit_to_publishes_or_stays_resumable: [5.12, 9.1];
                dropped_cancel_removes_the_upload_or_leaves_it: [5.11, 9.1];
                dropped_cancel_upload_removes_it_or_leaves_it: [5.16, 9.1];
                dropped_cancel_uploads_may_stop_between_two: [5.16, 9.1];
                dropped_rename_moves_once_or_never: [7.1, 9.1] if rename_file;
                dropped_rename_dir_loses_no_file: [7.2, 9.1] if rename_dir;
                dropped_copy_makes_a_file_or_none: [7.6, 9.1] if copy;
                dropped_touch_keeps_the_content: [7.7, 9.1] if touch;
                dropped_delete_of_a_file_removes_it_or_not: [7.4, 9.1];
                dropped_delete_of_a_directory_can_be_called_again: [7.4, 9.1];
                dropped_delete_many_may_stop_between_two: [7.5, 9.1];
                dropped_shutdown_can_be_called_again: [9.1, 9.4];
            }
            linearizability {
                operations_on_one_path_take_effect_at_one_moment: [3.3, 3.4, 9.2];
                operations_on_several_paths_take_effect_at_one_moment: [7.1, 7.2, 9.2] if linearizable;
            }
            full {
                a_stream_of_5_gib_in_32_kib_chunks_comes_back: [3.1, 5.8] @full;
                three_times_3_gib_each_by_a_new_writer_come_back: [5.4, 5.8] @full;
            }
            model {
                sequences_are_answered_as_by_the_model: [2.1, 3.1, 4.1, 5.1, 6.1, 7.1, 8.2];
                operations_with_faults_take_effect_once_or_never: [5.10, 9.1];
                long_sequences_are_answered_as_by_the_model: [2.1, 3.1, 4.1, 5.1, 6.1, 7.1, 8.2] @full;
                long_sequences_with_faults_take_effect_once_or_never: [5.10, 9.1] @full;
            }
        }
    };
}
