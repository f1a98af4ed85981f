//! What holds of every call: errors, cancellation, concurrency, shutdown; and all calls together.

/// Adds the last part of the list, and hands the list to the macro. Not for use outside of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __behaviours_every_call {
    ($callback:path, { $($before:tt)* }) => {
        $callback! {
            $($before)*
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
                extreme_numbers_do_not_panic: [8.5];
                an_append_that_fails_says_where: [5.5, 8.1] if append;
            }
            cancellation {
                a_future_that_is_never_polled_does_nothing: [9.1];
                a_dropped_put_takes_effect_once_or_never: [3.3, 9.1];
                a_dropped_deletion_takes_effect_once_or_never: [7.4, 9.1];
                a_dropped_commit_takes_effect_or_leaves_the_upload: [5.10, 9.1];
                a_dropped_commit_to_leaves_no_part_at_the_destination: [5.12, 9.1];
                a_dropped_cancel_removes_the_upload_or_leaves_it: [5.11, 9.1];
                a_dropped_rename_leaves_the_file_at_one_end: [7.1, 9.1] if rename_file && atomic_rename;
                a_dropped_rename_of_a_directory_leaves_it_whole: [7.2, 9.1] if rename_dir && atomic_rename;
                a_dropped_opening_leaves_what_can_be_found: [5.16, 9.1];
                dropped_uploads_can_be_listed_and_cancelled: [5.16, 9.1];
            }
            concurrency {
                of_many_if_absent_puts_one_succeeds: [3.4] if preconditions;
                of_many_if_version_puts_one_succeeds: [3.4] if preconditions;
                of_many_if_absent_commits_one_succeeds: [3.4, 5.12] if conditional_commit;
                of_many_if_absent_renames_one_succeeds: [3.4, 7.1] if rename_file && preconditions;
                of_many_deletions_one_succeeds: [7.4, 9.2] if linearizable;
                of_many_renames_of_a_file_one_succeeds: [7.1, 9.2] if rename_file && atomic_rename;
                no_update_is_lost_under_if_version: [3.4] if preconditions;
                a_file_and_a_directory_never_exist_at_one_path: [2.3] if rejects_conflicts;
                readers_see_one_put_or_another_and_no_mix: [3.3, 4.3];
                readers_see_one_commit_or_another_and_no_mix: [4.3, 5.1];
                readers_see_one_commit_to_or_another_and_no_mix: [4.3, 5.12];
                readers_see_one_rename_or_another_and_no_mix: [4.3, 7.1] if rename_file && atomic_rename;
                stat_describes_one_file: [2.1, 6.1];
                uploads_at_once_do_not_mix: [5.1, 5.8];
                writers_of_one_path_at_once_leave_one_upload_whole: [5.3, 5.7];
                many_tasks_read_one_file: [4.5];
                open_handles_block_no_other_call: [4.5, 9.3];
                listings_return_unchanged_entries_once: [6.5];
                a_page_is_of_one_moment: [6.5] if snapshot_listing;
                a_whole_walk_is_of_one_moment: [6.5] if snapshot_listing;
                a_rename_is_seen_at_one_end: [7.1, 9.2] if rename_file && atomic_rename && snapshot_listing;
                a_rename_of_a_directory_is_seen_whole: [7.2, 9.2] if rename_dir && atomic_rename && snapshot_listing;
                every_task_sees_what_another_task_did: [9.2];
            }
            shutdown {
                after_shutdown_nothing_can_be_read: [9.4];
                after_shutdown_nothing_can_be_looked_up: [9.4];
                after_shutdown_nothing_can_be_written: [9.4];
                after_shutdown_nothing_can_be_deleted: [9.4];
                after_shutdown_nothing_can_be_moved: [9.4];
                after_shutdown_open_writers_fail: [9.4];
                after_shutdown_errors_of_reading_say_where: [8.1, 9.4];
                after_shutdown_errors_of_looking_up_say_where: [8.1, 9.4];
                after_shutdown_errors_of_writing_say_where: [8.1, 9.4];
                after_shutdown_errors_of_uploads_say_where: [8.1, 9.4];
                after_shutdown_errors_of_cancelling_say_where: [8.1, 9.4];
                after_shutdown_errors_of_deleting_say_where: [8.1, 9.4];
                after_shutdown_errors_of_moving_say_where: [8.1, 9.4];
                after_shutdown_errors_of_health_say_where: [8.1, 9.4, 10.4];
                after_shutdown_errors_of_a_sweep_say_where: [8.1, 9.4, 9.5];
                after_shutdown_errors_of_writers_say_where: [8.1, 8.4, 9.4];
                after_shutdown_an_open_reader_gives_no_mix: [9.4];
                a_second_shutdown_does_nothing: [9.4];
                a_shutdown_with_uploads_open_does_not_wait_for_them: [9.4];
                a_store_that_works_is_healthy: [10.4];
                asking_for_health_changes_nothing: [10.4];
                after_shutdown_a_store_is_not_healthy: [9.4, 10.4];
            }
            sweeping {
                a_sweep_removes_nothing_that_is_visible: [9.5];
                content_whose_source_was_deleted_survives_a_sweep: [7.6, 9.5];
                an_open_upload_survives_a_sweep: [5.1, 9.5];
                a_suspended_upload_survives_a_sweep: [5.4, 5.17, 9.5];
                what_was_deleted_stays_deleted_after_a_sweep: [5.11, 7.4, 9.5];
                sweeps_and_writers_at_once_lose_nothing: [5.1, 9.5];
            }
            times {
                a_put_sets_the_time: [2.1, 6.1] if clock;
                a_commit_sets_the_time: [2.1, 5.1] if clock;
                a_later_rename_keeps_the_time: [7.1] if clock && rename_file && atomic_rename;
                a_later_rename_of_a_directory_keeps_times: [7.2] if clock && rename_dir && atomic_rename;
                a_copy_sets_the_time: [7.6] if clock && copy;
                a_touch_sets_the_time: [7.7] if clock && touch;
                other_content_of_the_same_moment_has_another_version: [2.1] if clock;
                a_touch_at_the_same_moment_makes_another_version: [7.7] if clock && touch;
                an_upload_reports_its_start_and_its_last_write: [5.16] if clock;
                create_sets_the_start_of_the_upload: [5.3, 5.16] if clock;
                an_append_starts_when_it_is_opened: [5.5, 5.16] if clock && append;
                cancel_uploads_cancels_an_upload_of_exactly_the_age: [5.16] if clock;
                cancel_uploads_leaves_an_upload_a_second_younger: [5.16] if clock;
                cancel_uploads_of_any_age_cancels_an_upload_written_now: [5.16] if clock;
                an_upload_written_in_the_future_has_no_age: [5.16] if clock;
                the_age_of_an_upload_counts_from_its_last_write: [5.16] if clock;
                cancel_uploads_cancels_old_uploads_and_leaves_young_ones: [5.16] if clock;
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
                dropped_queries_change_nothing: [9.1];
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
                sequences_return_what_the_model_returns: [2.1, 3.1, 4.1, 5.1, 6.1, 7.1, 8.2];
                operations_with_faults_take_effect_once_or_never: [5.10, 9.1];
                long_sequences_return_what_the_model_returns: [2.1, 3.1, 4.1, 5.1, 6.1, 7.1, 8.2] @full;
                long_sequences_with_faults_take_effect_once_or_never: [5.10, 9.1] @full;
            }
        }
    };
}
