/*
 * paths.c - paths of an OpenClaw install, found in the order in which OpenClaw looks.
 */
#include "server/config/paths.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <unistd.h>

#include "schema/text.h"

/* --- paths as text --- */

static const char *
keep(struct arena *arena, struct buf *text)
{
	const char *kept = arena_dup(arena, (struct str){ text->data, text->len }).s;

	buf_clear(text);
	return kept;
}

/* Appends the parts of a path to one that is normalised, whose root is empty. */
static void
append_parts(struct buf *out, const char *path)
{
	for (size_t len; *path != '\0'; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0 || (len == 1 && path[0] == '.'))
			continue;
		if (len == 2 && memcmp(path, "..", 2) == 0) {
			while (out->len > 0 && out->data[--out->len] != '/')
				;
			continue;
		}
		buf_adds(out, "/");
		buf_add(out, path, len);
	}
}

const char *
config_path_resolve(struct arena *arena, const char *dir, const char *path)
{
	struct buf out = { 0 };

	if (*path != '/')
		append_parts(&out, dir);
	append_parts(&out, path);
	if (out.len == 0)
		buf_adds(&out, "/");
	return keep(arena, &out);
}

const char *
config_path_dir(struct arena *arena, const char *path)
{
	return config_path_resolve(arena, path, "..");
}

bool
config_path_inside(const char *dir, const char *path)
{
	size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	return strncmp(dir, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static const char *
join(struct arena *arena, const char *dir, const char *name)
{
	return config_path_resolve(arena, dir, name);
}

/* --- variables --- */

/* Without white space at its ends; NULL where nothing is left. */
static const char *
trimmed(struct arena *arena, const char *text)
{
	struct str rest = str_of(text);

	if (text == NULL)
		return NULL;
	if (text_is_utf8(rest.s, rest.len))
		rest = text_trim(rest);
	return rest.len > 0 ? arena_dup(arena, rest).s : NULL;
}

/* A variable that names a home: what a script makes of an unset one in JavaScript counts as unset.
 */
static const char *
home_variable(struct arena *arena, const char *name)
{
	const char *value = trimmed(arena, getenv(name));

	if (value == NULL || strcmp(value, "undefined") == 0 || strcmp(value, "null") == 0)
		return NULL;
	return value;
}

static const char *
working_dir(struct arena *arena)
{
	char *dir = getcwd(NULL, 0);
	const char *kept = arena_dup(arena, dir != NULL ? str_of(dir) : STR("/")).s;

	free(dir);
	return kept;
}

static const char *
user_home(struct arena *arena)
{
	const char *home = home_variable(arena, "HOME");
	const struct passwd *user;

	if (home == NULL)
		home = home_variable(arena, "USERPROFILE");
	if (home != NULL)
		return home;
	user = getpwuid(geteuid());
	return user != NULL && user->pw_dir != NULL && *user->pw_dir != '\0'
		   ? arena_dup(arena, str_of(user->pw_dir)).s
		   : working_dir(arena);
}

/* Is it "~", or does it start with "~/"? */
static bool
starts_at_home(const char *path)
{
	return path[0] == '~' && (path[1] == '\0' || path[1] == '/');
}

static const char *
expand(struct arena *arena, const char *path, const char *home)
{
	struct buf out = { 0 };

	if (!starts_at_home(path))
		return config_path_resolve(arena, working_dir(arena), path);
	buf_addf(&out, "%s%s", home, path + 1);
	return config_path_resolve(arena, working_dir(arena), keep(arena, &out));
}

/* $OPENCLAW_HOME, else the user's. */
static const char *
home_dir(struct arena *arena)
{
	const char *named = home_variable(arena, "OPENCLAW_HOME");

	return expand(arena, named != NULL ? named : "~", user_home(arena));
}

const char *
config_path_expand(struct arena *arena, const char *text)
{
	const char *path = trimmed(arena, text);

	return expand(arena, path != NULL ? path : "", home_dir(arena));
}

/* A variable that names a path; NULL where it is not set. */
static const char *
path_variable(struct arena *arena, const char *name)
{
	const char *value = trimmed(arena, getenv(name));

	return value != NULL ? config_path_expand(arena, value) : NULL;
}

/* --- the config --- */

/*
 * Looks whether there is something under the name, if only a link that leads nowhere. What cannot
 * be looked at may be the config, and then no other must stand in for it.
 */
static int
look(const char *path, bool *ret, struct error *err)
{
	struct stat status;

	*ret = lstat(path, &status) == 0;
	if (!*ret && errno != ENOENT && errno != ENOTDIR)
		return error_set(err, ERROR_CONFIG, "policy %s: %s", path, strerror(errno));
	return 0;
}

/* The first of a directory's configs, under its name of today and the one before; NULL: none. */
static int
find_in(struct arena *arena, const char *dir, const char **ret, struct error *err)
{
	static const char *const names[] = { "openclaw.json", "clawdbot.json" };
	bool there;

	*ret = NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && *ret == NULL; i++) {
		const char *path = join(arena, dir, names[i]);

		if (look(path, &there, err) != 0)
			return -1;
		if (there)
			*ret = path;
	}
	return 0;
}

int
config_path_find(struct arena *arena, const char *named, const char **ret, struct error *err)
{
	const char *state = path_variable(arena, "OPENCLAW_STATE_DIR");

	if (named != NULL)
		*ret = config_path_resolve(arena, working_dir(arena), named);
	else
		*ret = path_variable(arena, "OPENCLAW_CONFIG_PATH");
	if (*ret != NULL)
		return 0;
	if (state != NULL)
		return find_in(arena, state, ret, err);
	if (find_in(arena, join(arena, home_dir(arena), ".openclaw"), ret, err) != 0)
		return -1;
	return *ret != NULL ? 0
			    : find_in(arena, join(arena, home_dir(arena), ".clawdbot"), ret, err);
}

void
config_path_dotenv(struct arena *arena, const char *named, const char *ret[2])
{
	const char *state = path_variable(arena, "OPENCLAW_STATE_DIR"), *config = named;
	const char *usual = join(arena, home_dir(arena), ".openclaw/.env");

	if (config != NULL)
		config = config_path_resolve(arena, working_dir(arena), config);
	else
		config = path_variable(arena, "OPENCLAW_CONFIG_PATH");
	if (state == NULL && config == NULL)
		ret[0] = usual;
	else
		ret[0] =
		    join(arena, state != NULL ? state : config_path_dir(arena, config), ".env");
	ret[1] = state != NULL && strcmp(ret[0], usual) != 0
		     ? NULL
		     : join(arena, home_dir(arena), ".config/openclaw/gateway.env");
}
