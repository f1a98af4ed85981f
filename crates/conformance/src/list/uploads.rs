//! Writers and uploads in progress.

/// Adds this part of the list, and hands it on. Not for use outside of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __behaviours_uploads {
    ($callback:path, { $($before:tt)* }) => {
        $crate::__behaviours_operations! { $callback, {
            $($before)*
            writing {
                nothing_is_visible_before_the_commit: [5.1];
                all_is_visible_after_the_commit: [5.1];
                old_content_is_readable_until_the_commit: [5.1];
                a_commit_replaces_longer_content_whole: [5.1];
                a_commit_returns_the_metadata_of_stat: [5.1, 6.1];
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
                a_hint_about_buffers_changes_no_result: [5.15];
            }
            keeping {
                close_keeps_everything: [5.9];
                sync_keeps_everything_through_a_drop: [5.9];
                writing_continues_after_a_sync: [5.9];
                a_drop_keeps_everything: [5.9] if keeps_on_drop;
                a_drop_keeps_data_written_after_a_sync: [5.9] if keeps_on_drop;
                data_accepted_before_a_fence_is_kept: [5.7, 5.9] if keeps_on_drop;
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
                an_append_fences_the_writer_of_a_cancelled_upload: [5.5, 5.7] if append;
                cancel_upload_fences: [5.7, 5.16];
                delete_fences: [5.7, 7.4];
                delete_of_a_directory_fences: [5.7, 7.4];
                delete_many_fences: [5.7, 7.5];
                a_fenced_writer_cannot_sync: [5.7];
                a_fenced_writer_cannot_close: [5.7];
                a_fenced_writer_cannot_commit: [5.7];
                a_fenced_writer_cannot_commit_elsewhere: [5.7];
                a_fenced_writer_cannot_cancel: [5.7];
                data_of_a_fenced_writer_is_not_kept: [5.7];
                the_drop_of_a_fenced_writer_leaves_the_successor_alone: [5.7];
                a_writer_stays_fenced_after_the_successor_committed: [5.7];
                a_writer_stays_fenced_after_the_successor_closed: [5.7];
                a_writer_stays_fenced_after_the_successor_cancelled: [5.7];
                a_cancelled_upload_made_anew_is_not_the_old_one: [5.7];
                put_content_fences_no_writer: [5.7];
                a_rename_onto_the_path_fences_no_writer: [5.7, 7.1] if rename_file;
                a_rename_of_the_content_at_the_path_fences_no_writer: [5.7, 7.1] if rename_file;
                a_copy_onto_the_path_fences_no_writer: [5.7, 7.6] if copy;
                a_touch_fences_no_writer: [5.7, 7.7] if touch;
                a_commit_to_the_path_fences_no_writer: [5.7, 5.12];
                a_rename_of_the_directory_fences_no_writer: [5.7, 7.2] if rename_dir;
                an_offset_mismatch_fences_no_writer: [5.6, 5.7];
                a_refused_append_fences_no_writer: [5.5, 5.7] if append;
                a_writer_of_another_path_fences_no_writer: [5.7];
                a_reader_fences_no_writer: [5.7];
                a_deletion_of_a_sibling_fences_no_writer: [5.7, 7.4];
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
                append_during_an_upload_is_refused: [5.5] if append;
                append_during_an_append_is_refused: [5.5] if append;
                append_leaves_the_content_as_it_is_until_the_commit: [5.5] if append;
                append_that_is_cancelled_leaves_the_content: [5.5, 5.11] if append;
                append_can_be_resumed: [5.4, 5.5] if append;
                append_commits_only_onto_its_base: [5.5, 5.10] if append;
                append_that_was_resumed_keeps_its_base: [5.5] if append;
                append_does_not_bring_back_a_file_that_was_renamed_away: [5.5, 7.1] if append && rename_file;
                append_commits_to_another_path_whatever_its_base: [5.5, 5.12] if append;
                append_to_its_own_path_by_commit_to_checks_its_base: [5.5, 5.12] if append;
                append_starts_from_the_content_at_its_opening: [5.5] if append;
                append_leaves_a_copy_of_its_base_alone: [5.5, 7.6] if append && copy;
                append_leaves_open_readers_alone: [4.3, 5.5] if append;
                append_gives_a_new_version: [2.1, 5.5] if append;
                append_of_nothing_gives_a_new_version: [2.1, 5.5] if append && unique_versions;
                a_range_of_an_appended_file_crosses_its_pieces: [4.1, 5.5] if append;
                create_after_an_append_forgets_its_base: [5.3, 5.5] if append;
                append_onto_a_touched_file_fails: [5.5, 7.7] if append && touch;
                append_onto_equal_content_of_another_version_fails: [5.5] if append && rename_file && unique_versions;
                append_onto_a_file_renamed_away_and_back_succeeds: [2.1, 5.5, 7.1] if append && rename_file;
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
                an_async_write_returns_what_it_accepted: [5.8, 5.13];
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
                an_error_of_the_source_keeps_the_data_before_it: [5.13, 8.3];
                the_adapters_report_a_fenced_writer: [5.7, 5.13, 8.4];
            }
            uploads {
                an_upload_is_listed_from_its_creation_to_its_end: [5.16];
                uploads_come_in_the_order_of_their_paths: [1.5, 5.16];
                uploads_are_those_at_and_under_the_path: [5.16];
                a_page_without_uploads_is_empty: [5.16];
                uploads_are_listed_next_to_files: [5.16];
                an_upload_reports_its_size_where_it_is_known: [5.8, 5.16];
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
            creating {
                create_upload_keeps_an_empty_upload: [5.18];
                create_upload_discards_the_one_before_and_its_note: [5.3, 5.17, 5.18];
                create_upload_fences_the_open_writer: [5.7, 5.18];
                create_upload_leaves_committed_content: [5.3, 5.18];
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
        }}
    };
}
