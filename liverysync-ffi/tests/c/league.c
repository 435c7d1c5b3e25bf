#include "league.h"

liverysync_server *start_server(void)
{
    const liverysync_server_options options = {.size = sizeof options, .host = "127.0.0.1"};
    return start_server_with(&options);
}

liverysync_server *start_server_with(const liverysync_server_options *options)
{
    liverysync_server *server = NULL;
    CHECK_OK(liverysync_server_start(options, &server));
    return server;
}

liverysync_client_options client_options(uint32_t port, const char *folder, const char *name)
{
    return (liverysync_client_options){.size = sizeof(liverysync_client_options),
                                       .host = "127.0.0.1",
                                       .port = port,
                                       .liveries = folder,
                                       .name = name,
                                       .settle_ms = 20,
                                       .retry_first_ms = 50,
                                       .retry_max_ms = 200};
}

liverysync_client *start_client(uint32_t port, const char *folder, const char *name)
{
    const liverysync_client_options options = client_options(port, folder, name);
    liverysync_client *client = NULL;
    CHECK_OK(liverysync_client_start(&options, &client));
    return client;
}

bool await_client_event(liverysync_client *client, liverysync_event_kind kind, liverysync_event *event)
{
    event->size = sizeof *event;
    do {
        if (!CHECK_OK(liverysync_client_next_event(client, PATIENCE_MS, event))) {
            return false;
        }
    } while (event->kind != kind);
    return true;
}

bool await_server_event(liverysync_server *server, liverysync_event_kind kind, liverysync_event *event)
{
    event->size = sizeof *event;
    do {
        if (!CHECK_OK(liverysync_server_next_event(server, PATIENCE_MS, event))) {
            return false;
        }
    } while (event->kind != kind);
    return true;
}

uint32_t unused_port(void)
{
    liverysync_server *server = start_server();
    uint32_t port = liverysync_server_port(server);
    CHECK_OK(liverysync_server_free(server));
    return port;
}
