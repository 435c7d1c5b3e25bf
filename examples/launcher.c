/*
 * Syncs a liveries folder with the league before the game starts: shows progress, and ends. Ctrl-C stops it cleanly.
 *
 *     cc -std=c11 launcher.c $(pkg-config --cflags --libs liverysync) -pthread -o launcher
 *     ./launcher 192.168.1.50 9239 ./Liveries
 *
 * Exit codes: 0 in sync, 1 failed, 2 wrong usage, 130 interrupted.
 */
#define _POSIX_C_SOURCE 200809L

#include <liverysync.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Names may come from other people: characters that control a terminal, or are invisible, are shown as `\u{..}`. */
static void print_safely(const char *text)
{
    char *escaped = NULL;
    if (liverysync_escape(text, &escaped) == LIVERYSYNC_RESULT_OK) {
        fputs(escaped, stdout);
        liverysync_string_free(escaped);
    }
}

/* Called on a thread of the library, one event at a time. */
static void show(void *userdata, const liverysync_event *event)
{
    uint64_t *received = userdata;
    switch (event->kind) {
    case LIVERYSYNC_EVENT_KIND_CONNECTED:
        printf("connected to %s\n", event->word);
        break;
    case LIVERYSYNC_EVENT_KIND_DISCONNECTED:
        printf("no connection: ");
        print_safely(event->reason);
        printf("; retry in %.1f s\n", (double)event->retry_in_ms / 1000);
        break;
    case LIVERYSYNC_EVENT_KIND_RECEIVED:
        *received += event->bytes;
        printf("\r%llu bytes", (unsigned long long)*received);
        break;
    case LIVERYSYNC_EVENT_KIND_INSTALLED:
        printf("\rdownloaded ");
        print_safely(event->path);
        printf(" (%llu bytes)\n", (unsigned long long)event->bytes);
        break;
    case LIVERYSYNC_EVENT_KIND_RECEIVE_FAILED:
        printf("\rcould not download ");
        print_safely(event->path);
        printf(": ");
        print_safely(event->reason);
        printf("\n");
        break;
    default: /* There are more, and new ones may come. */
        break;
    }
    fflush(stdout);
}

/* Waits for Ctrl-C on a thread of its own: a signal handler may not call the library. SIGUSR1: the sync has ended. */
static void *wait_for_signal(void *client)
{
    sigset_t signals;
    int caught = 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    sigwait(&signals, &caught);
    if (caught != SIGUSR1) {
        liverysync_client_stop(client); /* The sync returns LIVERYSYNC_RESULT_STOPPED. */
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST PORT FOLDER\n", argv[0]);
        return 2;
    }
    /* Before the library makes threads: they inherit what is blocked. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    uint64_t received = 0;
    const liverysync_client_options options = {
        .size = sizeof options,
        .host = argv[1],
        .port = (uint32_t)strtoul(argv[2], NULL, 10),
        .liveries = argv[3],
        .name = "launcher",
        .on_event = show,
        .userdata = &received,
    };
    liverysync_client *client = NULL;
    liverysync_sync_report report = {.size = sizeof report};
    liverysync_result result = liverysync_client_start(&options, &client);
    if (result == LIVERYSYNC_RESULT_OK) {
        pthread_t waiter;
        int waits = pthread_create(&waiter, NULL, wait_for_signal, client) == 0;
        result = liverysync_client_sync(client, LIVERYSYNC_NO_LIMIT, &report);
        if (waits) {
            pthread_kill(waiter, SIGUSR1);
            pthread_join(waiter, NULL);
        }
    }
    if (result == LIVERYSYNC_RESULT_OK) {
        printf("in sync: %llu files, %llu bytes; %llu files came in %.1f s\n", (unsigned long long)report.files,
               (unsigned long long)report.bytes, (unsigned long long)report.received_files,
               (double)report.took_ms / 1000);
    } else if (result != LIVERYSYNC_RESULT_STOPPED) {
        char *why = NULL; /* It may name a host or a folder. */
        liverysync_escape(liverysync_last_error(), &why);
        fprintf(stderr, "error: %s\n", why ? why : "");
        liverysync_string_free(why);
    }
    liverysync_client_free(client); /* Stops it, and waits for the callback. */
    return result == LIVERYSYNC_RESULT_OK ? 0 : result == LIVERYSYNC_RESULT_STOPPED ? 130 : 1;
}
