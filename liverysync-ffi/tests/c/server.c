/* A server in this process. */
#define _POSIX_C_SOURCE 200809L

#include "league.h"

#include <stdio.h>
#include <string.h>

static void a_server_says_where_it_listens(void)
{
    liverysync_server *server = NULL;
    const liverysync_server_options options = {.size = sizeof options, .host = "127.0.0.1"};
    CHECK_OK(liverysync_server_start(&options, &server));
    uint32_t port = liverysync_server_port(server);
    CHECK(port > 0 && port < 65536);

    liverysync_server *second = NULL;
    const liverysync_server_options same = {.size = sizeof same, .host = "127.0.0.1", .port = port};
    CHECK_RESULT(LIVERYSYNC_RESULT_SYSTEM, liverysync_server_start(&same, &second));
    CHECK_ERROR("cannot listen at 127.0.0.1");
    CHECK(!second);

    CHECK_OK(liverysync_server_stop(server));
    CHECK_OK(liverysync_server_stop(server));
    liverysync_event event = {.size = sizeof event};
    CHECK_RESULT(LIVERYSYNC_RESULT_STOPPED, liverysync_server_next_event(server, LIVERYSYNC_NO_LIMIT, &event));
    CHECK_NUMBER(port, liverysync_server_port(server));
    CHECK_OK(liverysync_server_free(server));
    CHECK_OK(liverysync_server_start(&same, &second));
    CHECK_OK(liverysync_server_free(second));
    CHECK_OK(liverysync_server_free(NULL));
}

static void an_event_names_the_settings_that_the_league_does_not_have(void)
{
    liverysync_server_options options = {.size = sizeof options, .host = "127.0.0.1", .data = new_folder()};
    CHECK_OK(liverysync_server_free(start_server_with(&options)));
    options.extensions = "png";
    options.conflict_suffix = "__OTHER__";
    options.conflict_policy = LIVERYSYNC_POLICY_LOWEST_HASH;
    options.conflict_scope = LIVERYSYNC_SCOPE_LIVERY;
    options.updates = LIVERYSYNC_UPDATES_ANYONE;
    liverysync_server *server = start_server_with(&options);
    liverysync_event event;
    if (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_SETTINGS_DIFFER, &event)) {
        CHECK(event.json && strstr(event.json, "\"setting\":\"conflict-suffix\""));
        CHECK(event.json && strstr(event.json, "\"setting\":\"conflict-scope\""));
        CHECK(event.json && strstr(event.json, "\"setting\":\"conflict-policy\""));
        CHECK(event.json && strstr(event.json, "\"setting\":\"extensions\""));
        CHECK(event.json && strstr(event.json, "\"setting\":\"updates\""));
    }
    CHECK_OK(liverysync_server_free(server));
}

static void events_report_clients_that_join_and_leave(void)
{
    const char *folder = new_folder();
    put_file(folder, "#2/decals.png", "a");
    liverysync_server *server = start_server();
    liverysync_client *client = start_client(liverysync_server_port(server), folder, "Aoi");
    liverysync_event event;
    if (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_JOINED, &event)) {
        CHECK_TEXT("Aoi", event.name);
        CHECK_TEXT("liverysync", event.word);
        CHECK(event.address && strstr(event.address, "127.0.0.1"));
    }
    uint64_t peer = event.peer;
    /* The first one may be empty: a file that has just been written has not kept still yet. */
    while (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_MANIFEST, &event) && event.files == 0) {
        CHECK_NUMBER(0, event.bytes);
    }
    CHECK_TEXT("Aoi", event.name);
    CHECK_NUMBER(1, event.files);
    CHECK_NUMBER(1, event.bytes);
    CHECK_OK(liverysync_client_free(client));
    if (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_LEFT, &event)) {
        CHECK_NUMBER(peer, event.peer);
        CHECK(event.reason);
    }
    CHECK_OK(liverysync_server_free(server));
}

static void the_status_is_json(void)
{
    const char *folder = new_folder();
    put_file(folder, "#2/decals.png", "a");
    liverysync_server *server = start_server();
    char *status = NULL;
    CHECK_OK(liverysync_server_status(server, &status));
    CHECK_TEXT("{\"files\":0,\"bytes\":0,\"union_hash\":null,\"conflicts\":[],\"sessions\":0,\"peers\":[]}", status);
    liverysync_string_free(status);
    liverysync_client *client = start_client(liverysync_server_port(server), folder, "Aoi");
    CHECK_OK(liverysync_client_sync(client, PATIENCE_MS, NULL));
    CHECK_OK(liverysync_server_status(server, &status));
    CHECK(strstr(status, "{\"files\":1,\"bytes\":1,\"union_hash\":\""));
    CHECK(strstr(status, "\"name\":\"Aoi\""));
    CHECK(strstr(status, "\"missing\":[]"));
    liverysync_string_free(status);
    CHECK_OK(liverysync_client_free(client));
    CHECK_OK(liverysync_server_free(server));
}

static void only_listed_liveries_are_distributed(void)
{
    const char *aoi = new_folder(), *ben = new_folder(), *own = new_folder();
    char list[600];
    snprintf(list, sizeof list, "%s/allowed.txt", own);
    put_file(own, "allowed.txt", "yes\n");
    put_file(aoi, "yes/decals.png", "a");
    put_file(aoi, "no/decals.png", "b");
    const liverysync_server_options options = {.size = sizeof options, .host = "127.0.0.1", .allow_list = list};
    liverysync_server *server = start_server_with(&options);
    liverysync_client *first = start_client(liverysync_server_port(server), aoi, "Aoi");
    CHECK_OK(liverysync_client_sync(first, PATIENCE_MS, NULL));
    liverysync_client *second = start_client(liverysync_server_port(server), ben, "Ben");
    liverysync_event event;
    if (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_WITHHELD, &event)) {
        CHECK_TEXT("Ben", event.name);
        CHECK_TEXT("no/decals.png", event.path);
        CHECK(strstr(event.reason, "allow list"));
    }
    liverysync_sync_report report = {.size = sizeof report};
    CHECK_OK(liverysync_client_sync(second, PATIENCE_MS, &report));
    CHECK_NUMBER(1, report.files);
    CHECK_NUMBER(1, report.withheld);
    CHECK(file_is(ben, "yes/decals.png", "a"));
    CHECK(file_is(ben, "no/decals.png", NULL));
    CHECK_OK(liverysync_client_free(second));
    CHECK_OK(liverysync_client_free(first));
    CHECK_OK(liverysync_server_free(server));
}

static void liveries_in_conflict_are_kept_whole(void)
{
    const liverysync_server_options options = {.size = sizeof options,
                                               .host = "127.0.0.1",
                                               .conflict_scope = LIVERYSYNC_SCOPE_LIVERY};
    const char *aoi = new_folder(), *ben = new_folder();
    put_file(aoi, "T/decals.png", "a");
    put_file(ben, "T/sponsors.png", "b");
    liverysync_server *server = start_server_with(&options);
    liverysync_client *first = start_client(liverysync_server_port(server), aoi, "Aoi");
    CHECK_OK(liverysync_client_sync(first, PATIENCE_MS, NULL));
    liverysync_client *second = start_client(liverysync_server_port(server), ben, "Ben");
    liverysync_event event;
    if (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_CONFLICT, &event)) {
        CHECK_TEXT("Ben", event.name);
        CHECK_TEXT("T/sponsors.png", event.path);
        CHECK(event.other_path && strstr(event.other_path, "T__CONFLICT__") == event.other_path);
    }
    CHECK_OK(liverysync_client_free(second));
    CHECK_OK(liverysync_client_free(first));
    CHECK_OK(liverysync_server_free(server));
}

static void an_option_lets_only_owners_update(void)
{
    const liverysync_server_options options = {.size = sizeof options,
                                               .host = "127.0.0.1",
                                               .data = new_folder(),
                                               .updates = LIVERYSYNC_UPDATES_OWNER};
    const char *aoi = new_folder(), *ben = new_folder();
    put_file(aoi, "T/decals.png", "a");
    liverysync_server *server = start_server_with(&options);
    liverysync_client *first = start_client(liverysync_server_port(server), aoi, "Aoi");
    CHECK_OK(liverysync_client_sync(first, PATIENCE_MS, NULL));
    liverysync_client *second = start_client(liverysync_server_port(server), ben, "Ben");
    CHECK_OK(liverysync_client_sync(second, PATIENCE_MS, NULL));
    put_file(ben, "T/decals.png", "b");
    liverysync_event event;
    if (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_CONFLICT, &event)) {
        CHECK_TEXT("Ben", event.name);
        CHECK_TEXT("T/decals.png", event.path);
    }
    CHECK(file_is(aoi, "T/decals.png", "a"));
    CHECK_OK(liverysync_client_free(second));
    CHECK_OK(liverysync_client_free(first));
    CHECK_OK(liverysync_server_free(server));
}

static void count(void *userdata, const liverysync_event *event)
{
    *(int *)userdata += event->kind == LIVERYSYNC_EVENT_KIND_SERVER_JOINED;
}

static void a_callback_gets_an_event_for_each_client_that_joins(void)
{
    int joined = 0;
    const liverysync_server_options options = {
        .size = sizeof options, .host = "127.0.0.1", .on_event = count, .userdata = &joined};
    liverysync_server *server = start_server_with(&options);
    liverysync_client *client = start_client(liverysync_server_port(server), new_folder(), "Aoi");
    CHECK_OK(liverysync_client_sync(client, PATIENCE_MS, NULL));
    CHECK_OK(liverysync_client_free(client));
    CHECK_OK(liverysync_server_stop(server));
    CHECK_NUMBER(1, joined);
    CHECK_OK(liverysync_server_free(server));
}

static void null_and_bad_options_are_refused(void)
{
    const liverysync_result null = LIVERYSYNC_RESULT_NULL_POINTER;
    liverysync_server *server = NULL;
    liverysync_server_options options = {.size = sizeof options, .port = 65536};
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_server_start(&options, &server));
    options.port = 0;
    options.conflict_policy = 9;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_server_start(&options, &server));
    options.conflict_policy = LIVERYSYNC_POLICY_ESTABLISHED;
    options.conflict_scope = 2;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_server_start(&options, &server));
    options.conflict_scope = LIVERYSYNC_SCOPE_LIVERY;
    options.updates = 2;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_server_start(&options, &server));
    options.updates = LIVERYSYNC_UPDATES_OWNER;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_server_start(&options, &server));
    CHECK_ERROR("where only owners may update, the server needs a data folder");
    CHECK_RESULT(null, liverysync_server_start(&options, NULL));
    CHECK(!server);
    CHECK_OK(liverysync_server_start(NULL, &server));
    CHECK_OK(liverysync_server_free(server));
    char *status = NULL;
    liverysync_event event = {.size = sizeof event};
    CHECK_RESULT(null, liverysync_server_set_limits(NULL, 0, 0));
    CHECK_RESULT(null, liverysync_server_status(NULL, &status));
    CHECK_RESULT(null, liverysync_server_next_event(NULL, 0, &event));
    CHECK_RESULT(null, liverysync_server_stop(NULL));
    CHECK_NUMBER(0, liverysync_server_port(NULL));
    CHECK(!status);
}

const test server_tests[] = {
    {"server::a_server_says_where_it_listens", a_server_says_where_it_listens},
    {"server::an_event_names_the_settings_that_the_league_does_not_have",
     an_event_names_the_settings_that_the_league_does_not_have},
    {"server::events_report_clients_that_join_and_leave", events_report_clients_that_join_and_leave},
    {"server::the_status_is_json", the_status_is_json},
    {"server::only_listed_liveries_are_distributed", only_listed_liveries_are_distributed},
    {"server::liveries_in_conflict_are_kept_whole", liveries_in_conflict_are_kept_whole},
    {"server::an_option_lets_only_owners_update", an_option_lets_only_owners_update},
    {"server::a_callback_gets_an_event_for_each_client_that_joins",
     a_callback_gets_an_event_for_each_client_that_joins},
    {"server::null_and_bad_options_are_refused", null_and_bad_options_are_refused},
    {NULL, NULL},
};
