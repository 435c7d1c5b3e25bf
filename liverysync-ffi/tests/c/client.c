/* Clients in a league of this process: every way to run, follow and stop them. */
#define _POSIX_C_SOURCE 200809L

#include "league.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void two_clients_bring_their_folders_to_the_union(void)
{
    const char *aoi = new_folder(), *ben = new_folder();
    put_file(aoi, "#2/decals.png", "a");
    put_file(aoi, "#2/decals.json", "{\"from\": \"aoi\"}");
    put_file(ben, "Caf\xc3\xa9/sponsors.png", "from ben");
    liverysync_server *server = start_server();
    liverysync_client *first = start_client(liverysync_server_port(server), aoi, "Aoi");
    liverysync_client *second = start_client(liverysync_server_port(server), ben, "Ben");

    /* The second one may come too late for the first one's sync: then that one syncs again. */
    liverysync_sync_report report = {.size = sizeof report};
    CHECK_OK(liverysync_client_sync(second, PATIENCE_MS, &report));
    CHECK_OK(liverysync_client_sync(first, PATIENCE_MS, NULL));
    liverysync_event event;
    await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_JOINED, &event);
    do {
        await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_IN_SYNC, &event);
    } while (event.files < 3);
    CHECK_NUMBER(2, event.clients);
    CHECK(strstr(event.json, "\"union_hash\":\""));

    CHECK_OK(liverysync_client_sync(second, PATIENCE_MS, &report));
    CHECK_NUMBER(3, report.files);
    CHECK_NUMBER(1 + 15 + 8, report.bytes);
    CHECK_NUMBER(1, report.certain);
    CHECK_NUMBER(0, report.conflicts);
    CHECK_NUMBER(0, report.withheld);
    CHECK(strstr(report.json, "\"conflicts\":[]"));
    CHECK(file_is(ben, "#2/decals.png", "a"));
    CHECK(file_is(ben, "#2/decals.json", "{\"from\": \"aoi\"}"));
    CHECK(file_is(aoi, "Caf\xc3\xa9/sponsors.png", "from ben"));

    CHECK_OK(liverysync_client_stop(first));
    CHECK_OK(liverysync_client_free(first));
    CHECK_OK(liverysync_client_free(second));
    CHECK_OK(liverysync_server_free(server));
    CHECK(file_is(aoi, ".tmp", NULL));
}

static void events_tell_what_happens_with_flat_fields_and_json(void)
{
    const char *aoi = new_folder(), *ben = new_folder();
    put_file(aoi, "#2/decals.png", "a");
    put_file(ben, "notes.doc", "not shared");
    liverysync_server *server = start_server();
    liverysync_client *first = start_client(liverysync_server_port(server), aoi, "Aoi");
    CHECK_OK(liverysync_client_sync(first, PATIENCE_MS, NULL));
    liverysync_client *second = start_client(liverysync_server_port(server), ben, "Ben");

    liverysync_event event;
    if (await_client_event(second, LIVERYSYNC_EVENT_KIND_SKIPPED, &event)) {
        CHECK_TEXT("notes.doc", event.path);
        CHECK_TEXT("extension", event.word);
        CHECK(strstr(event.reason, "doc"));
        CHECK_TEXT(NULL, event.sync_id);
        CHECK_NUMBER(0, event.bytes);
    }
    if (await_client_event(second, LIVERYSYNC_EVENT_KIND_CONNECTED, &event)) {
        CHECK_TEXT("liverysync", event.word);
    }
    if (await_client_event(second, LIVERYSYNC_EVENT_KIND_INSTALLED, &event)) {
        CHECK_TEXT("#2/decals.png", event.path);
        CHECK_NUMBER(1, event.bytes);
        CHECK_NUMBER(0, event.copied);
        CHECK_TEXT(NULL, event.backup);
        CHECK(event.sync_id && event.sync_id[0]);
        char expected[200];
        snprintf(expected, sizeof expected,
                 "{\"event\":\"installed\",\"sync_id\":\"%s\",\"path\":\"#2/decals.png\",\"bytes\":1,"
                 "\"backup\":null,\"copied\":false,\"kept_as\":null}",
                 event.sync_id);
        CHECK_TEXT(expected, event.json);
    }
    if (await_client_event(second, LIVERYSYNC_EVENT_KIND_IN_SYNC, &event)) {
        CHECK_NUMBER(1, event.files);
        CHECK_NUMBER(1, event.bytes);
        CHECK_NUMBER(1, event.certain);
    }
    CHECK_OK(liverysync_client_free(second));
    CHECK_OK(liverysync_client_free(first));
    CHECK_OK(liverysync_server_free(server));
}

static void conflict_copies_are_kept_under_conflict_names(void)
{
    const char *aoi = new_folder(), *ben = new_folder();
    put_file(aoi, "#2/decals.png", "a");
    put_file(ben, "#2/decals.png", "b");
    liverysync_server *server = start_server();
    liverysync_client *first = start_client(liverysync_server_port(server), aoi, "Aoi");
    CHECK_OK(liverysync_client_sync(first, PATIENCE_MS, NULL));
    liverysync_client *second = start_client(liverysync_server_port(server), ben, "Ben");
    liverysync_event event;
    if (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_CONFLICT, &event)) {
        CHECK_TEXT("Ben", event.name);
        CHECK_TEXT("#2/decals.png", event.path);
        CHECK_TEXT("#2/decals__CONFLICT__3e23e816.png", event.other_path);
    }
    liverysync_sync_report report = {.size = sizeof report};
    CHECK_OK(liverysync_client_sync(second, PATIENCE_MS, &report));
    CHECK_NUMBER(1, report.conflicts);
    CHECK(strstr(report.json, "\"conflicts\":[\"#2/decals__CONFLICT__3e23e816.png\"]"));
    CHECK(file_is(ben, "#2/decals.png", "a"));
    CHECK(file_is(ben, "#2/decals__CONFLICT__3e23e816.png", "b"));
    /* The copy under the conflict name comes first. */
    while (await_client_event(second, LIVERYSYNC_EVENT_KIND_INSTALLED, &event) && event.copied) {
        CHECK_TEXT("#2/decals__CONFLICT__3e23e816.png", event.path);
    }
    CHECK_TEXT("#2/decals.png", event.path);
    if (CHECK(event.backup)) {
        CHECK(strncmp(event.backup, ".backup/", 8) == 0);
        CHECK(file_is(ben, event.backup, "b"));
    }
    CHECK_OK(liverysync_client_free(first));
    CHECK_OK(liverysync_client_free(second));
    CHECK_OK(liverysync_server_free(server));
}

static void a_dry_run_changes_nothing(void)
{
    const char *aoi = new_folder(), *ben = new_folder();
    put_file(aoi, "#2/decals.png", "a");
    liverysync_server *server = start_server();
    liverysync_client *first = start_client(liverysync_server_port(server), aoi, "Aoi");
    CHECK_OK(liverysync_client_sync(first, PATIENCE_MS, NULL));
    const liverysync_client_options options = {.size = sizeof options,
                                               .host = "127.0.0.1",
                                               .port = liverysync_server_port(server),
                                               .liveries = ben,
                                               .dry_run = 1};
    liverysync_client *second = NULL;
    CHECK_OK(liverysync_client_start(&options, &second));
    CHECK_OK(liverysync_client_sync(second, PATIENCE_MS, NULL));
    liverysync_event event;
    if (await_client_event(second, LIVERYSYNC_EVENT_KIND_PLAN, &event)) {
        CHECK(strstr(event.json, "\"receive\":[{\"path\":\"#2/decals.png\",\"bytes\":1}]"));
    }
    CHECK(file_is(ben, "#2/decals.png", NULL));
    CHECK_OK(liverysync_client_free(second));
    CHECK_OK(liverysync_client_free(first));
    CHECK_OK(liverysync_server_free(server));
}

static void a_client_runs_until_it_is_stopped(void)
{
    liverysync_client *client = start_client(unused_port(), new_folder(), "Aoi");
    liverysync_event event = {.size = sizeof event};
    CHECK_OK(liverysync_client_stop(client));
    CHECK_OK(liverysync_client_stop(client));
    CHECK_RESULT(LIVERYSYNC_RESULT_STOPPED, liverysync_client_sync(client, 0, NULL));
    CHECK_RESULT(LIVERYSYNC_RESULT_STOPPED, liverysync_client_sync(client, LIVERYSYNC_NO_LIMIT, NULL));
    /* Events from before the stop can still be read. */
    liverysync_result result;
    do {
        result = liverysync_client_next_event(client, LIVERYSYNC_NO_LIMIT, &event);
    } while (result == LIVERYSYNC_RESULT_OK);
    CHECK_RESULT(LIVERYSYNC_RESULT_STOPPED, result);
    CHECK_RESULT(LIVERYSYNC_RESULT_STOPPED, liverysync_client_next_event(client, 0, &event));
    CHECK_OK(liverysync_client_set_limits(client, 100000, 0));
    CHECK_OK(liverysync_client_free(client));
}

static void events_are_kept_from_the_start_on(void)
{
    const char *folder = new_folder();
    put_file(folder, "#2/decals.png", "a");
    liverysync_server *server = start_server();
    liverysync_client *client = start_client(liverysync_server_port(server), folder, "Aoi");
    /* It has walked the folder and connected by then. */
    CHECK_OK(liverysync_client_sync(client, PATIENCE_MS, NULL));
    liverysync_event event = {.size = sizeof event};
    bool scanned = false, connected = false;
    while (liverysync_client_next_event(client, 0, &event) == LIVERYSYNC_RESULT_OK) {
        scanned |= event.kind == LIVERYSYNC_EVENT_KIND_SCANNED;
        connected |= event.kind == LIVERYSYNC_EVENT_KIND_CONNECTED;
    }
    CHECK(scanned);
    CHECK(connected);
    CHECK_OK(liverysync_client_free(client));
    CHECK_OK(liverysync_server_free(server));
}

static void free_stops_a_client(void)
{
    const char *folder = new_folder();
    /* The second one could not start if the first one still had the folder. */
    CHECK_OK(liverysync_client_free(start_client(unused_port(), folder, "Aoi")));
    CHECK_OK(liverysync_client_free(start_client(unused_port(), folder, "Ben")));
    CHECK_OK(liverysync_client_free(NULL));
}

static void null_and_bad_options_are_refused(void)
{
    const liverysync_result null = LIVERYSYNC_RESULT_NULL_POINTER;
    liverysync_client *client = NULL;
    liverysync_client_options options = {.size = sizeof options, .host = "127.0.0.1", .liveries = new_folder()};
    CHECK_RESULT(null, liverysync_client_start(NULL, &client));
    CHECK_RESULT(null, liverysync_client_start(&options, NULL));
    options.port = 70000;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_client_start(&options, &client));
    CHECK_ERROR("70000 is no port");
    options.port = 0;
    options.extensions = "not one";
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_client_start(&options, &client));
    options.extensions = NULL;
    options.name = "\xff";
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_UTF8, liverysync_client_start(&options, &client));
    options.name = " ";
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_client_start(&options, &client));
    CHECK_ERROR("1 to 64 characters");
    options.name = "12345678901234567890123456789012345678901234567890123456789012345";
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_client_start(&options, &client));
    options.name = NULL;
    options.conflict_suffix = "?";
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_client_start(&options, &client));
    options.conflict_suffix = NULL;
    options.host = NULL;
    CHECK_RESULT(null, liverysync_client_start(&options, &client));
    CHECK_ERROR("host is NULL");
    options.host = "";
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_client_start(&options, &client));
    CHECK(!client);
    liverysync_event event = {.size = sizeof event};
    CHECK_RESULT(null, liverysync_client_sync(NULL, 0, NULL));
    CHECK_RESULT(null, liverysync_client_next_event(NULL, 0, &event));
    CHECK_RESULT(null, liverysync_client_stop(NULL));
    CHECK_RESULT(null, liverysync_client_set_limits(NULL, 0, 0));
    client = start_client(1, options.liveries, "Aoi");
    CHECK_RESULT(null, liverysync_client_next_event(client, 0, NULL));
    liverysync_sync_report unsized_report = {0};
    CHECK_RESULT(LIVERYSYNC_RESULT_STRUCT_SIZE, liverysync_client_sync(client, 0, &unsized_report));
    CHECK_OK(liverysync_client_free(client));
}

static void a_folder_that_cannot_be_used_is_a_failure(void)
{
    char folder[600];
    snprintf(folder, sizeof folder, "%s/later", new_folder());
    const liverysync_client_options options = client_options(unused_port(), folder, "Aoi");
    liverysync_client *client = NULL, *other = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_FOLDER, liverysync_client_start(&options, &client));
    CHECK_ERROR("later");
    CHECK(!client);
    CHECK(mkdir(folder, 0700) == 0);
    CHECK_OK(liverysync_client_start(&options, &client));
    CHECK_RESULT(LIVERYSYNC_RESULT_BUSY, liverysync_client_start(&options, &other));
    CHECK(!other);
    CHECK_OK(liverysync_client_free(client));
    CHECK_OK(liverysync_client_start(&options, &other));
    CHECK_OK(liverysync_client_free(other));
}

static void waiting_ends_at_the_timeout(void)
{
    liverysync_client *client = start_client(unused_port(), new_folder(), "Aoi");
    liverysync_sync_report report = {.size = sizeof report, .files = 17};
    CHECK_RESULT(LIVERYSYNC_RESULT_UNREACHABLE, liverysync_client_sync(client, LIVERYSYNC_NO_LIMIT, &report));
    CHECK_ERROR("127.0.0.1");
    CHECK_RESULT(LIVERYSYNC_RESULT_TIMED_OUT, liverysync_client_sync(client, 10, &report));
    CHECK_ERROR("timed out");
    CHECK_NUMBER(17, report.files);
    liverysync_event event;
    if (await_client_event(client, LIVERYSYNC_EVENT_KIND_DISCONNECTED, &event)) {
        CHECK(event.reason && event.retry_in_ms > 0);
    }
    CHECK_OK(liverysync_client_free(client));
}

static void having_no_event_is_not_a_failure(void)
{
    liverysync_server *server = start_server();
    liverysync_event event = {.size = sizeof event};
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_PATH, liverysync_check_path("nul.png", NULL));
    CHECK_RESULT(LIVERYSYNC_RESULT_NO_EVENT, liverysync_server_next_event(server, 0, &event));
    CHECK_RESULT(LIVERYSYNC_RESULT_NO_EVENT, liverysync_server_next_event(server, 5, &event));
    CHECK_ERROR("device name");
    CHECK_TEXT(NULL, event.json);
    CHECK_OK(liverysync_server_free(server));
}

typedef struct waiting {
    liverysync_client *client;
    liverysync_result result;
} waiting;

static void *sync_elsewhere(void *argument)
{
    waiting *wait = argument;
    wait->result = liverysync_client_sync(wait->client, PATIENCE_MS, NULL);
    return NULL;
}

static void *read_elsewhere(void *argument)
{
    waiting *wait = argument;
    liverysync_event event = {.size = sizeof event};
    do {
        wait->result = liverysync_client_next_event(wait->client, LIVERYSYNC_NO_LIMIT, &event);
    } while (wait->result == LIVERYSYNC_RESULT_OK);
    return NULL;
}

static void a_client_has_a_name(void)
{
    char host[256] = "";
    CHECK(gethostname(host, sizeof host - 1) == 0);
    const char *const given[] = {NULL, "  Zo\xc3\xab "};
    const char *const expected[] = {host, "Zo\xc3\xab"};
    for (int i = 0; i < 2; i++) {
        liverysync_server *server = start_server();
        liverysync_client *client = start_client(liverysync_server_port(server), new_folder(), given[i]);
        liverysync_event event;
        if (await_server_event(server, LIVERYSYNC_EVENT_KIND_SERVER_JOINED, &event)) {
            CHECK_TEXT(expected[i], event.name);
        }
        CHECK_OK(liverysync_client_free(client));
        CHECK_OK(liverysync_server_free(server));
    }
}

static void a_client_disconnects_from_a_silent_server(void)
{
    /* Its connections are taken by the system, and nobody ever answers. */
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    CHECK(bind(silent, (struct sockaddr *)&address, length) == 0 && listen(silent, 8) == 0);
    CHECK(getsockname(silent, (struct sockaddr *)&address, &length) == 0);
    const liverysync_client_options options = {.size = sizeof options,
                                               .host = "127.0.0.1",
                                               .port = ntohs(address.sin_port),
                                               .liveries = new_folder(),
                                               .silence_timeout_ms = 50};
    liverysync_client *client = NULL;
    CHECK_OK(liverysync_client_start(&options, &client));
    liverysync_event event;
    if (await_client_event(client, LIVERYSYNC_EVENT_KIND_DISCONNECTED, &event)) {
        CHECK(event.reason);
    }
    CHECK_OK(liverysync_client_free(client));
    close(silent);
}

static void a_report_belongs_to_the_thread_that_synced(void)
{
    const char *folder = new_folder();
    put_file(folder, "#2/decals.png", "a");
    liverysync_server *server = start_server();
    liverysync_client *client = start_client(liverysync_server_port(server), folder, "Aoi");
    liverysync_sync_report report = {.size = sizeof report};
    CHECK_OK(liverysync_client_sync(client, PATIENCE_MS, &report));
    waiting sync = {client, LIVERYSYNC_RESULT_FAILED};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, sync_elsewhere, &sync) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(sync.result);
    CHECK_OK(liverysync_client_free(client));
    /* Neither another thread's sync nor the end of the client takes it away. */
    CHECK(strstr(report.json, "\"conflicts\":[]"));
    CHECK_OK(liverysync_server_free(server));
}

static void stopping_ends_the_waits_of_other_threads(void)
{
    liverysync_client *client = start_client(unused_port(), new_folder(), "Aoi");
    waiting syncs[3] = {{client, LIVERYSYNC_RESULT_OK}, {client, LIVERYSYNC_RESULT_OK}, {client, LIVERYSYNC_RESULT_OK}};
    waiting reads = {client, LIVERYSYNC_RESULT_OK};
    pthread_t threads[4];
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_create(&threads[i], NULL, sync_elsewhere, &syncs[i]) == 0);
    }
    CHECK(pthread_create(&threads[3], NULL, read_elsewhere, &reads) == 0);
    CHECK_OK(liverysync_client_stop(client));
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_RESULT(LIVERYSYNC_RESULT_STOPPED, syncs[i].result);
    }
    CHECK_RESULT(LIVERYSYNC_RESULT_STOPPED, reads.result);
    CHECK_OK(liverysync_client_free(client));
}

typedef struct watching {
    liverysync_client *client;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    int calls, inside, overlaps, other_threads, connected, in_sync;
    char installed[100];
    liverysync_result refused[4];
} watching;

static void watch(void *userdata, const liverysync_event *event)
{
    watching *seen = userdata;
    pthread_mutex_lock(&seen->mutex);
    if (seen->calls == 0) {
        seen->thread = pthread_self();
        liverysync_event mine = {.size = sizeof mine};
        seen->refused[0] = liverysync_client_sync(seen->client, LIVERYSYNC_NO_LIMIT, NULL);
        seen->refused[1] = liverysync_client_stop(seen->client);
        seen->refused[2] = liverysync_client_free(seen->client);
        seen->refused[3] = liverysync_client_next_event(seen->client, LIVERYSYNC_NO_LIMIT, &mine);
    }
    seen->calls += 1;
    seen->other_threads += !pthread_equal(seen->thread, pthread_self());
    seen->overlaps += seen->inside;
    seen->inside = 1;
    if (event->kind == LIVERYSYNC_EVENT_KIND_INSTALLED) {
        snprintf(seen->installed, sizeof seen->installed, "%s", event->path);
    }
    seen->connected += event->kind == LIVERYSYNC_EVENT_KIND_CONNECTED;
    seen->in_sync += event->kind == LIVERYSYNC_EVENT_KIND_IN_SYNC;
    seen->inside = 0;
    pthread_cond_signal(&seen->changed);
    pthread_mutex_unlock(&seen->mutex);
}

static void a_callback_gets_every_event_on_one_thread(void)
{
    const char *aoi = new_folder(), *ben = new_folder();
    put_file(aoi, "#2/decals.png", "a");
    liverysync_server *server = start_server();
    liverysync_client *first = start_client(liverysync_server_port(server), aoi, "Aoi");
    CHECK_OK(liverysync_client_sync(first, PATIENCE_MS, NULL));

    watching seen = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    liverysync_client_options options = client_options(liverysync_server_port(server), ben, "Ben");
    options.on_event = watch;
    options.userdata = &seen;
    /* The first call finds the client there. */
    CHECK_OK(liverysync_client_start(&options, &seen.client));
    liverysync_event event = {.size = sizeof event};
    CHECK_RESULT(LIVERYSYNC_RESULT_EVENTS_TAKEN, liverysync_client_next_event(seen.client, 0, &event));
    CHECK_OK(liverysync_client_sync(seen.client, PATIENCE_MS, NULL));
    pthread_mutex_lock(&seen.mutex);
    while (seen.in_sync == 0) {
        pthread_cond_wait(&seen.changed, &seen.mutex);
    }
    pthread_mutex_unlock(&seen.mutex);
    CHECK_OK(liverysync_client_stop(seen.client));
    /* Nobody calls any more: no lock is needed. */
    CHECK_TEXT("#2/decals.png", seen.installed);
    CHECK_NUMBER(1, seen.connected);
    CHECK_NUMBER(0, seen.overlaps);
    CHECK_NUMBER(0, seen.other_threads);
    CHECK(!pthread_equal(seen.thread, pthread_self()));
    for (int i = 0; i < 4; i++) {
        CHECK_RESULT(LIVERYSYNC_RESULT_IN_CALLBACK, seen.refused[i]);
    }
    int calls = seen.calls;
    put_file(ben, "#2/late.png", "late");
    CHECK_OK(liverysync_client_free(seen.client));
    CHECK_NUMBER(calls, seen.calls);
    pthread_cond_destroy(&seen.changed);
    pthread_mutex_destroy(&seen.mutex);
    CHECK_OK(liverysync_client_free(first));
    CHECK_OK(liverysync_server_free(server));
}

typedef struct holding {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    liverysync_client *client;
    bool inside, released, stop_returned, called_too_late;
    int waited;
} holding;

/* Stays in the first call until it is released, and then a second. */
static void hold(void *userdata, const liverysync_event *event)
{
    holding *held = userdata;
    (void)event;
    pthread_mutex_lock(&held->mutex);
    held->inside = true;
    pthread_cond_broadcast(&held->changed);
    while (!held->released) {
        pthread_cond_wait(&held->changed, &held->mutex);
    }
    /* A stop that does not wait for us returns soon. */
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    int late = held->waited;
    while (!held->stop_returned && late != ETIMEDOUT) {
        late = pthread_cond_timedwait(&held->changed, &held->mutex, &until);
    }
    held->waited = ETIMEDOUT;
    held->called_too_late |= held->stop_returned;
    pthread_mutex_unlock(&held->mutex);
}

static void *stop_elsewhere(void *argument)
{
    holding *held = argument;
    CHECK_OK(liverysync_client_stop(held->client));
    pthread_mutex_lock(&held->mutex);
    held->stop_returned = true;
    pthread_cond_broadcast(&held->changed);
    pthread_mutex_unlock(&held->mutex);
    return NULL;
}

static void stop_waits_for_the_callback(void)
{
    holding held = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    liverysync_client_options options = client_options(unused_port(), new_folder(), "Aoi");
    options.on_event = hold;
    options.userdata = &held;
    CHECK_OK(liverysync_client_start(&options, &held.client));
    pthread_mutex_lock(&held.mutex);
    while (!held.inside) {
        pthread_cond_wait(&held.changed, &held.mutex);
    }
    pthread_mutex_unlock(&held.mutex);
    pthread_t stopper;
    CHECK(pthread_create(&stopper, NULL, stop_elsewhere, &held) == 0);
    /* It returns once the client has stopped; the callback has not. */
    CHECK_RESULT(LIVERYSYNC_RESULT_STOPPED, liverysync_client_sync(held.client, PATIENCE_MS, NULL));
    pthread_mutex_lock(&held.mutex);
    held.released = true;
    pthread_cond_broadcast(&held.changed);
    pthread_mutex_unlock(&held.mutex);
    CHECK(pthread_join(stopper, NULL) == 0);
    CHECK(!held.called_too_late);
    CHECK_OK(liverysync_client_free(held.client));
    pthread_cond_destroy(&held.changed);
    pthread_mutex_destroy(&held.mutex);
}

const test client_tests[] = {
    {"client::two_clients_bring_their_folders_to_the_union", two_clients_bring_their_folders_to_the_union},
    {"client::events_tell_what_happens_with_flat_fields_and_json",
     events_tell_what_happens_with_flat_fields_and_json},
    {"client::conflict_copies_are_kept_under_conflict_names", conflict_copies_are_kept_under_conflict_names},
    {"client::a_dry_run_changes_nothing", a_dry_run_changes_nothing},
    {"client::a_client_runs_until_it_is_stopped", a_client_runs_until_it_is_stopped},
    {"client::events_are_kept_from_the_start_on", events_are_kept_from_the_start_on},
    {"client::free_stops_a_client", free_stops_a_client},
    {"client::null_and_bad_options_are_refused", null_and_bad_options_are_refused},
    {"client::a_folder_that_cannot_be_used_is_a_failure", a_folder_that_cannot_be_used_is_a_failure},
    {"client::waiting_ends_at_the_timeout", waiting_ends_at_the_timeout},
    {"client::having_no_event_is_not_a_failure", having_no_event_is_not_a_failure},
    {"client::a_client_has_a_name", a_client_has_a_name},
    {"client::a_client_disconnects_from_a_silent_server", a_client_disconnects_from_a_silent_server},
    {"client::a_report_belongs_to_the_thread_that_synced", a_report_belongs_to_the_thread_that_synced},
    {"client::stopping_ends_the_waits_of_other_threads", stopping_ends_the_waits_of_other_threads},
    {"client::a_callback_gets_every_event_on_one_thread", a_callback_gets_every_event_on_one_thread},
    {"client::stop_waits_for_the_callback", stop_waits_for_the_callback},
    {NULL, NULL},
};
