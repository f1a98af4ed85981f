//! Operations on the tree: listing, moving, deleting.

/// Adds this part of the list, and hands it on. Not for use outside of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __behaviours_operations {
    ($callback:path, { $($before:tt)* }) => {
        $crate::__behaviours_every_call! { $callback, {
            $($before)*
            listing {
                stat_tells_a_file: [6.1];
                stat_tells_a_directory: [6.1];
                stat_of_nothing_is_not_found: [6.1];
                file_reports_what_stat_reports_of_a_file: [6.7];
                file_reports_nothing_where_no_file_is: [6.7];
                stat_below_a_file_is_not_found: [6.1];
                stat_of_the_beginning_of_a_name_is_not_found: [6.1];
                list_gives_direct_children_alone: [6.2];
                list_tells_files_from_directories: [6.2];
                list_sorts_by_name: [6.2];
                list_returns_the_metadata_of_stat: [6.2];
                list_returns_the_metadata_of_stat_after_a_change: [6.2];
                list_gives_a_directory_of_many_files_once: [6.2, 6.5];
                list_of_a_leaves_ab_out: [6.2];
                list_of_a_file_is_refused: [6.2];
                list_of_nothing_is_not_found: [6.2, 6.3];
                list_of_an_empty_root_is_empty: [6.2];
                pages_of_every_limit_join_to_the_whole: [6.3];
                a_page_as_long_as_the_limit_may_be_the_last: [6.3];
                a_page_of_limit_0_says_whether_there_is_more: [6.3];
                the_greatest_limit_gives_all: [6.3];
                the_default_limit_is_1000: [6.3];
                list_starts_after_an_entry: [6.3];
                list_starts_after_a_path_that_is_not_there: [6.3];
                list_starts_after_a_path_elsewhere: [6.3];
                list_starts_after_a_deleted_entry: [6.3, 6.5];
                limit_and_start_can_be_combined: [6.3];
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
                walk_skips_entries_that_vanish: [6.5];
                walk_skips_a_directory_that_becomes_a_file: [6.5];
                a_walk_shows_one_moment: [6.5] if snapshot_listing;
                a_walk_left_half_way_blocks_no_other_call: [6.4, 9.3];
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
                touch_prevents_a_deletion_if_version: [7.4, 7.7] if touch && preconditions;
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
                a_deletion_that_fails_fences_no_writer: [5.7, 7.4];
                delete_of_the_file_a_leaves_ab: [7.4];
                delete_of_nothing_is_not_found: [7.4];
                delete_a_second_time_is_not_found: [7.4];
                a_deleted_file_can_be_put_again: [7.4];
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
                delete_many_skips_missing_files: [7.5];
                delete_many_takes_a_path_twice_and_below_another: [7.5];
                delete_many_of_no_path_changes_nothing: [7.5];
                delete_many_takes_thousands: [7.5];
            }
        }}
    };
}
