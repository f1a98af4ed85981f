//! Files, what is in them, and conditions on them.

/// Adds this part of the list, and hands it on. Not for use outside of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __behaviours_files {
    ($callback:path, { $($before:tt)* }) => {
        $crate::__behaviours_uploads! { $callback, {
            $($before)*
            paths {
                every_valid_path_holds_content: [1.1, 1.4];
                every_valid_path_takes_an_upload: [1.1, 1.4];
                invalid_paths_cannot_be_made: [1.1, 1.2, 1.4];
                dots_within_a_component_are_ordinary: [1.2];
                names_that_look_like_bookkeeping_are_ordinary: [1.1, 1.4, 2.4];
                upper_and_lower_case_are_different: [1.1];
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
                unchanged_content_keeps_its_version: [2.1];
                equal_content_that_is_put_twice_has_two_versions: [2.1] if unique_versions;
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
                a_rename_of_the_last_file_removes_its_directory: [2.2, 7.1] if rename_file;
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
                empty_content_comes_back: [3.1];
                few_bytes_come_back: [3.1];
                bytes_around_a_page_come_back: [3.1];
                bytes_around_64_kib_come_back: [3.1];
                bytes_around_1_mib_come_back: [3.1];
                bytes_around_3_mib_come_back: [3.1];
                every_byte_value_comes_back: [3.1];
                line_ends_come_back_as_they_are: [3.1];
                many_parts_come_back_in_their_order: [3.1];
                a_part_of_a_bigger_buffer_comes_back_alone: [3.1];
                a_put_returns_the_metadata_of_stat: [2.1, 6.1];
                content_has_the_metadata_of_stat: [3.2];
                a_range_has_the_metadata_of_the_whole_file: [3.2];
                the_parts_of_content_are_its_bytes: [3.2];
                content_as_long_as_the_limit_is_returned: [3.2];
                content_longer_than_the_limit_is_too_large: [3.2];
                no_content_fits_a_limit_of_0: [3.2];
                the_limit_applies_to_the_range: [3.2];
                the_limit_applies_to_the_clipped_range: [3.2, 4.1];
                shorter_content_replaces_longer_whole: [3.3];
                longer_content_replaces_shorter_whole: [3.3];
                empty_content_replaces_content: [3.3];
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
                if_version_fails_for_an_unknown_version: [3.4] if preconditions;
                if_version_fails_for_a_file_that_was_deleted_and_put_again: [3.4] if preconditions;
                the_version_of_a_commit_can_be_a_condition: [3.4] if preconditions;
            }
            reading {
                a_reader_gives_all: [4.1];
                an_offset_skips_what_is_before_it: [4.1];
                a_bounded_range_leaves_out_its_end: [4.1];
                an_empty_range_within_the_content_is_empty: [4.1];
                the_last_bytes_are_returned: [4.1];
                the_last_0_bytes_are_empty: [4.1];
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
                a_reader_stays_ended: [4.4];
                small_reads_give_every_byte_once: [4.4];
                lines_can_be_read: [4.4];
                stream_and_reads_can_be_mixed: [4.4];
                many_readers_of_one_file_are_independent: [4.5];
                a_reader_does_not_wait_for_a_writer: [4.5];
                a_reader_left_half_way_blocks_no_other_call: [4.5, 9.3];
                a_dropped_reader_leaves_the_file_alone: [4.5, 9.1];
                a_directory_cannot_be_read: [4.6];
                a_missing_file_is_not_found: [4.6];
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
        }}
    };
}
