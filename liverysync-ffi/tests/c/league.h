/* A server and clients on this machine, for tests. */
#ifndef LIVERYSYNC_TESTS_LEAGUE_H
#define LIVERYSYNC_TESTS_LEAGUE_H

#include "check.h"

/* Far more than any step of a test takes, also under valgrind. */
#define PATIENCE_MS 60000u

liverysync_server *start_server(void);
liverysync_server *start_server_with(const liverysync_server_options *options);
/* Options with a short settling time. */
liverysync_client_options client_options(uint32_t port, const char *folder, const char *name);
liverysync_client *start_client(uint32_t port, const char *folder, const char *name);
/* Reads events until one of this kind comes. Its strings stay valid until the next event. */
bool await_client_event(liverysync_client *client, liverysync_event_kind kind, liverysync_event *event);
bool await_server_event(liverysync_server *server, liverysync_event_kind kind, liverysync_event *event);
/* A port at which nobody listens. */
uint32_t unused_port(void);

#endif
