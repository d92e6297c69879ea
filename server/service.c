/*
 * service.c - datagrams to NOTIFY_SOCKET, and LISTEN_FDS.
 *
 * The state is that of the process, as the environment is. A manager that does not read is waited
 * for a second at most.
 */
#include "server/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <unistd.h>

#include "queue/clock.h"
#include "schema/mem.h"
#include "schema/number.h"

#define LOADING_MS 5000      /* between two requests for more time */
#define EXTEND_US "30000000" /* that each of them asks for */

static struct {
	int fd; /* connected to the manager; -1: there is none */
	int sockets;
	int64_t watchdog_ms; /* between two signs of life; 0: none are wanted */
	int64_t told_ms;     /* when the last one was given */
} service = { .fd = -1 };

/* A variable as a number; 0: it is none, or not set. */
static int64_t
number(const char *name)
{
	const char *text = secure_getenv(name);
	int64_t value = 0;

	if (text != NULL)
		number_parse(str_of(text), 1, INT64_MAX, &value);
	return value;
}

/* Whether the variable is about this process, and not about one that has started it. */
static bool
is_ours(const char *pid_name)
{
	return number(pid_name) == getpid();
}

static void
connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval second = { .tv_sec = 1 };
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* a name without a file */
	service.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (service.fd < 0)
		return;
	setsockopt(service.fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
	if (connect(service.fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return;
	close(service.fd);
	service.fd = -1;
}

void
service_begin(void)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");

	if (is_ours("LISTEN_PID"))
		service.sockets = (int)number("LISTEN_FDS");
	if (path != NULL)
		connect_to(path);
	if (service.fd >= 0 && (secure_getenv("WATCHDOG_PID") == NULL || is_ours("WATCHDOG_PID")))
		service.watchdog_ms = number("WATCHDOG_USEC") / 1000 / 2;
}

int
service_sockets(void)
{
	return service.sockets;
}

static void
tell(const char *what)
{
	if (service.fd >= 0)
		(void)!send(service.fd, what, strlen(what), MSG_NOSIGNAL);
}

void
service_ready(const char *status)
{
	char text[256];

	snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", status);
	tell(text);
}

void
service_reloading(void)
{
	char text[128];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
		 (long long)clock_monotonic_us());
	tell(text);
}

void
service_stopping(void)
{
	tell("STOPPING=1\nSTATUS=stopping");
}

void
service_loading(void)
{
	int64_t now_ms = clock_coarse_ms();

	if (service.fd < 0 || (service.told_ms != 0 && now_ms - service.told_ms < LOADING_MS))
		return;
	service.told_ms = now_ms;
	tell("EXTEND_TIMEOUT_USEC=" EXTEND_US "\nSTATUS=loading");
}

int64_t
service_next_ms(void)
{
	return service.watchdog_ms > 0 ? service.told_ms + service.watchdog_ms : INT64_MAX;
}

void
service_turn(void)
{
	if (service.watchdog_ms == 0 || clock_coarse_ms() < service_next_ms())
		return;
	service.told_ms = clock_coarse_ms();
	tell("WATCHDOG=1");
}
