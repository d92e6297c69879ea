/*
 * service.h - the service manager that has started this process, as systemd's protocols have it
 * (sd_notify(3), sd_listen_fds(3)).
 *
 * Here: telling it how the server is, over NOTIFY_SOCKET, and taking the sockets that it passes.
 * Without a manager everything here does nothing.
 * Not here: accepting (server/http/listener.h), the signals by which a manager asks.
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include <stdint.h>

/* Reads the environment, once, at the start. */
void service_begin(void);

/* How many sockets were passed; they are descriptors 3 and following. 0: listen by ourselves. */
int service_sockets(void);

/* What is told. status: a line for people, behind it. */
void service_ready(const char *status);
void service_reloading(void);
void service_stopping(void);

/* While the start goes on: asks for more time, as often as is needed. To be called often. */
void service_loading(void);

/* Shows the watchdog that the loop turns, as often as is needed. To be called in every turn. */
void service_turn(void);
/* When service_turn has to be called next, on clock_coarse_ms; INT64_MAX: no matter when. */
int64_t service_next_ms(void);

#endif
