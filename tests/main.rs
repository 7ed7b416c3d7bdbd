//! One binary of stories: a real host, real components, real HTTP. Each story makes its own host and organization.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a story reports by failing"
)]

mod architecture;
mod door;
mod elsewhere;
mod programs;
mod stories {
    mod a_bad_schema_is_refused;
    mod a_browser_is_kept_safe;
    mod a_client_proves_itself_by_key;
    mod a_component_is_inspected;
    mod a_deal_moves;
    mod a_filter_is_asked;
    mod a_hostile_plugin_is_refused;
    mod a_hostile_plugin_leaves_nothing;
    mod a_key_makes_it_once;
    mod a_list_is_walked;
    mod a_module_is_licensed;
    mod a_newcomer_imports_a_crm;
    mod a_package_is_published;
    mod a_package_lists_its_sql;
    mod a_password_is_forgotten;
    mod a_platform_is_claimed;
    mod a_plugin_is_upgraded;
    mod a_plugin_is_written;
    mod a_plugin_of_another_language_runs;
    mod a_program_signs_people_in;
    mod a_provider_is_swapped;
    mod a_provider_lies;
    mod a_record_comes_back;
    mod a_record_lives;
    mod a_reference_crosses_files;
    mod a_relying_party;
    mod a_report_reads_another_plugin;
    mod a_request_is_hardened;
    mod a_request_is_refused;
    mod a_result_is_read_in_parts;
    mod a_second_factor_is_asked;
    mod a_spreadsheet_comes_in;
    mod a_stranger_drives_the_api;
    mod a_version_follows_another;
    mod a_view_is_shared;
    mod an_export_goes_out;
    mod an_import_is_killed;
    mod an_import_is_undone;
    mod an_import_reports_its_dirt;
    mod an_operator_installs_plugins;
    mod an_organization_shapes_its_schema;
    mod attacks_are_answered;
    mod domains_are_shown_to_be_ones_own;
    mod duplicates_are_found;
    mod every_operation_is_guarded;
    mod files_are_kept;
    mod many_writers_meet;
    mod old_components_still_run;
    mod operators_look_in;
    mod packages_are_signed;
    mod pages_and_bodies_are_guarded;
    mod people_are_invited;
    mod people_come_from_elsewhere;
    mod people_see_some_fields;
    mod people_see_what_they_may;
    mod people_sign_in;
    mod people_talk_about_a_record;
    mod programs_ask_for_tokens;
    mod programs_have_accounts;
    mod rates_are_limited;
    mod records_are_merged;
    mod records_are_shared;
    mod refusals_are_told;
    mod roles_are_made;
    mod rows_come_in_bulk;
    mod strangers_sign_people_in;
    mod the_document_is_walked;
    mod the_kitchen_sink_is_walked;
    mod the_openid_basic_list;
    mod the_platform_is_walked;
    mod usage_is_kept;
    mod words_are_searched;
}
mod staff;
mod walk;
