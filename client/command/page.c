/*
 * sevq page - lets a browser in: prints the address of the server's page, and opens it.
 *
 * The address has a code, and other users of the machine see the arguments of a process. So the
 * browser is given a file that only this user can read, which leads it to the address. The file
 * lies where files of a login lie, in memory, and the next one overwrites it.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <unistd.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/json.h"
#include "client/url.h"

#define ALL_SCOPES "produce,consume,read,admin"

static bool
is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && *value != '\0';
}

static bool
has_display(void)
{
	return is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
}

/* The address is of our making but for the server's host and code, which are escaped in it. */
static bool
write_way(const char *path, const char *address)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool written;

	if (file == NULL)
		return false;
	sevq_say(file, "<!doctype html><meta http-equiv=refresh content=\"0;url=%s\">", address);
	written = ferror(file) == 0;
	return fclose(file) == 0 && written;
}

/* Browsers chatter, and hold their standard output open after xdg-open has ended: not ours. */
static bool
start_browser(char *path)
{
	char program[] = "xdg-open";
	char *argv[] = { program, path, NULL };
	posix_spawn_file_actions_t actions;
	int status = -1, error;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status == 0;
}

static bool
open_page(const char *address)
{
	struct sevq_buffer path = { 0 };
	bool opened;

	if (!is_set("XDG_RUNTIME_DIR"))
		return false;
	sevq_buffer_addf(&path, "%s/sevq-page.html", getenv("XDG_RUNTIME_DIR"));
	char *name = sevq_allocated(sevq_buffer_take(&path));
	opened = write_way(name, address) && start_browser(name);
	free(name);
	return opened;
}

/* Whether the server has granted that the page may change something. */
static bool
may_change(const cJSON *granted)
{
	const cJSON *scope;

	cJSON_ArrayForEach(scope, cJSON_GetObjectItemCaseSensitive(granted, "scopes"))
	{
		if (cJSON_IsString(scope) && strcmp(scope->valuestring, "admin") == 0)
			return true;
	}
	return false;
}

/* The code stands in the fragment, which no server is sent. It is null where none is needed. */
static char *
page_address(const struct sevq_client *client, const cJSON *granted)
{
	const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(granted, "code"));
	struct sevq_buffer address = { 0 };

	sevq_buffer_addf(&address, "%s/", sevq_base_url(client));
	if (code != NULL) {
		sevq_buffer_adds(&address, "#code=");
		sevq_url_escape(&address, code);
	}
	return sevq_allocated(sevq_buffer_take(&address));
}

static void
tell(const struct sevq_client *client, const struct sevq_options *options, const cJSON *granted)
{
	char *address = page_address(client, granted);

	if (options->json)
		sevq_print_json(client);
	else
		sevq_say(stdout, "%s", address);
	fflush(stdout);
	if (options->admin && !may_change(granted))
		sevq_say(stderr, "sevq: the token has no scope admin, and neither has the page");
	if (!options->json && !options->print && has_display() && !open_page(address))
		sevq_say(stderr, "sevq: no browser could be started; open the address yourself");
	free(address);
}

enum sevq_exit
sevq_run_page(struct sevq_client *client, struct sevq_options *options)
{
	cJSON *granted;
	char *answer;

	if (strncmp(sevq_base_url(client), "unix:", 5) == 0)
		return sevq_report_usage(
		    "browsers cannot open %s: let sevqd listen on a loopback address too, and "
		    "give that with --base-url",
		    sevq_base_url(client));
	if (sevq_page_code(client, options->admin ? ALL_SCOPES : NULL, &answer) != SEVQ_OK)
		return sevq_report(client);
	granted = sevq_allocated(sevq_json_parse(answer, strlen(answer)));
	tell(client, options, granted);
	cJSON_Delete(granted);
	sevq_free(answer);
	return SEVQ_EXIT_DONE;
}
