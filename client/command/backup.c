/*
 * sevq backup - has the server copy its database, waits for the copy, and checks it where it can be
 * read from here.
 */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <unistd.h>

#include "client/clock.h"
#include "client/command/backoff.h"
#include "client/command/command.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"
#include "client/json.h"

#define LOOK_AGAIN_MS 100
#define TELL_AGAIN_MS 1000

/* "sevq-20270131T120000Z.db" */
static void
make_name(char name[SEVQ_TIME_BYTES + 16])
{
	char time[SEVQ_TIME_BYTES];
	size_t len;

	sevq_time_text(sevq_clock_wall_ms(), time);
	strcpy(name, "sevq-");
	len = strlen(name);
	for (const char *at = time; *at != '\0'; at++)
		if (*at != '-' && *at != ':')
			name[len++] = *at;
	strcpy(name + len, ".db");
}

static const char *
text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text != NULL ? text : "";
}

static double
number_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* Asks how the backup goes, or begins it; the answer is the caller's to delete. */
static cJSON *
ask(struct sevq_client *client, const char *name)
{
	char *text = NULL;
	cJSON *root = NULL;

	if (sevq_backup(client, name, &text) == SEVQ_OK)
		root = sevq_allocated(sevq_json_parse(text, strlen(text)));
	sevq_free(text);
	return root;
}

static void
show_progress(const cJSON *backup, int64_t *told_ms)
{
	int64_t now_ms = sevq_clock_monotonic_ms();

	if (!isatty(STDERR_FILENO) || now_ms - *told_ms < TELL_AGAIN_MS)
		return;
	*told_ms = now_ms;
	sevq_say(stderr, "copied %.1f of %.1f MiB", number_of(backup, "copied") / 1048576,
		 number_of(backup, "bytes") / 1048576);
}

/* Waits for the end; the last answer, NULL: the server could not be asked. */
static cJSON *
await(struct sevq_client *client, cJSON *root, const char *name)
{
	int64_t told_ms = sevq_clock_monotonic_ms();
	const cJSON *backup;

	while (root != NULL) {
		backup = cJSON_GetObjectItemCaseSensitive(root, "backup");
		if (strcmp(text_of(backup, "name"), name) != 0 ||
		    strcmp(text_of(backup, "state"), "running") != 0)
			return root;
		show_progress(backup, &told_ms);
		sevq_sleep(LOOK_AGAIN_MS);
		cJSON_Delete(root);
		root = ask(client, NULL);
	}
	return NULL;
}

/* The sevqd that was installed with this command, or else the one on PATH. */
static const char *
find_server(char path[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 2);
	char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;

	if (slash != NULL && slash - path + 7 < PATH_MAX) {
		strcpy(slash + 1, "sevqd");
		if (access(path, X_OK) == 0)
			return path;
	}
	return "sevqd";
}

static enum sevq_exit
check(const char *directory, const char *name)
{
	char path[PATH_MAX], server[PATH_MAX], check_word[] = "--check", restore[] = "restore",
					       program[] = "sevqd";
	char *argv[] = { program, restore, check_word, path, NULL };
	int status = -1;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (access(path, R_OK) != 0) {
		sevq_say(stderr,
			 "%s cannot be read from here; check it with: sevqd restore --check %s",
			 path, path);
		return SEVQ_EXIT_DONE;
	}
	fflush(stdout);
	if (posix_spawnp(&pid, find_server(server), NULL, NULL, argv, environ) == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
	if (status == 0)
		return SEVQ_EXIT_DONE;
	sevq_say(stderr, "sevq: the copy could not be checked, or is not whole: %s", path);
	return SEVQ_EXIT_FAILED;
}

enum sevq_exit
sevq_run_backup(struct sevq_client *client, struct sevq_options *options)
{
	char made[SEVQ_TIME_BYTES + 16];
	const char *name = made;
	const cJSON *backup;
	enum sevq_exit result = SEVQ_EXIT_FAILED;
	cJSON *root;

	make_name(made);
	if (options->argument_count > 0)
		name = options->arguments[0];
	root = await(client, ask(client, name), name);
	if (root == NULL)
		return sevq_report(client);
	backup = cJSON_GetObjectItemCaseSensitive(root, "backup");
	if (options->json)
		sevq_print_json(client);
	if (strcmp(text_of(backup, "name"), name) != 0)
		sevq_report_failure("the server has been restarted; the backup is incomplete");
	else if (strcmp(text_of(backup, "state"), "done") != 0)
		sevq_report_failure("%s", text_of(backup, "error"));
	else if (options->json)
		result = SEVQ_EXIT_DONE;
	else {
		sevq_say(stdout, "%s/%s", text_of(root, "directory"), name);
		result = check(text_of(root, "directory"), name);
	}
	cJSON_Delete(root);
	return result;
}
