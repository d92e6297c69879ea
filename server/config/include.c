/*
 * include.c - a config read with everything that it includes, depth first.
 *
 * The tree of a file is taken apart and put together again: each value is resolved before it goes
 * into its container. What a file includes counts as standing in its place, so "top level" means
 * the top level of the whole config, in whichever file.
 */
#include "server/config/include.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "server/config/paths.h"

#define DIRECTORIES_MAX 32
#define PATH_BYTES_MAX 4096 /* OpenClaw's own limit */

/* A directory that files may be included from, as it is named and as it is. */
struct directory {
	const char *named, *real;
};

struct including {
	struct config_files *files;
	struct directory directories[DIRECTORIES_MAX]; /* the config's first */
	size_t directory_count;
	/* the config, what it includes, and so on */
	const char *chain[CONFIG_INCLUDE_DEPTH_MAX + 1];
	size_t chain_count;
	size_t includes, bytes; /* of all, repeated ones too */
	struct error *unresolved;
};

static struct config_value *resolve(struct including *in, struct config_value *value, bool top,
				    struct error *err);

/* --- which file --- */

static const char *
real_path(struct including *in, const char *path)
{
	char *real = realpath(path, NULL);
	const char *kept = real != NULL ? arena_dup(&in->files->arena, str_of(real)).s : NULL;

	free(real);
	return kept;
}

static void
add_directory(struct including *in, const char *path)
{
	const char *real = real_path(in, path);

	if (in->directory_count < DIRECTORIES_MAX)
		in->directories[in->directory_count++] =
		    (struct directory){ path, real != NULL ? real : path };
}

/* The list is separated by colons. */
static void
add_listed_directories(struct including *in, struct str list)
{
	while (list.len > 0) {
		const char *colon = memchr(list.s, ':', list.len);
		size_t len = colon != NULL ? (size_t)(colon - list.s) : list.len;
		struct str item = text_trim((struct str){ list.s, len });

		if (item.len > 0)
			add_directory(in, config_path_expand(&in->files->arena,
							     arena_dup(&in->files->arena, item).s));
		len += colon != NULL;
		list = (struct str){ list.s + len, list.len - len };
	}
}

static bool
is_allowed(const struct including *in, const char *path, bool real)
{
	for (size_t i = 0; i < in->directory_count; i++)
		if (config_path_inside(real ? in->directories[i].real : in->directories[i].named,
				       path))
			return true;
	return false;
}

/* The path that a $include names; NULL when it is refused. */
static const char *
find_file(struct including *in, const struct config_value *name, struct error *err)
{
	struct arena *arena = &in->files->arena;
	const char *from = config_path_dir(arena, in->chain[in->chain_count - 1]);
	const char *path = config_path_resolve(arena, from, arena_dup(arena, name->text).s), *real;

	if (name->text.len >= PATH_BYTES_MAX || strlen(path) >= PATH_BYTES_MAX)
		config_value_fail(err, name, "an included file's path has over %d bytes",
				  PATH_BYTES_MAX - 1);
	else if (!is_allowed(in, path, false))
		config_value_fail(err, name, "%s is outside the config's directory", path);
	else if ((real = real_path(in, path)) == NULL)
		config_value_fail(err, name, "%s: %s", path, strerror(errno));
	else if (!is_allowed(in, real, true))
		config_value_fail(err, name, "%s leads outside the config's directory, to %s", path,
				  real);
	else
		return path;
	return NULL;
}

static int
check_chain(const struct including *in, const struct config_value *name, const char *path,
	    struct error *err)
{
	for (size_t i = 0; i < in->chain_count; i++)
		if (strcmp(in->chain[i], path) == 0)
			return config_value_fail(err, name, "a circle: %s includes itself", path);
	if (in->chain_count > CONFIG_INCLUDE_DEPTH_MAX)
		return config_value_fail(err, name, "%s is included over more than %d levels", path,
					 CONFIG_INCLUDE_DEPTH_MAX);
	return 0;
}

/* --- a file --- */

/* Counts a use of a file, since a few small files can include each other very often. */
static int
count_use(struct including *in, const struct config_value *name, const struct config_file *file,
	  struct error *err)
{
	in->bytes += file->text.len;
	if (++in->includes > CONFIG_INCLUDES_MAX)
		return config_value_fail(err, name, "a policy includes at most %d files",
					 CONFIG_INCLUDES_MAX);
	if (in->bytes > CONFIG_FILES_BYTES_MAX)
		return config_value_fail(err, name, "the policy's files have over %d bytes",
					 CONFIG_FILES_BYTES_MAX);
	return 0;
}

/* The resolved content of the file that a $include names. */
static struct config_value *
load(struct including *in, const struct config_value *name, bool top, struct error *err)
{
	const char *path = find_file(in, name, err);
	struct config_file *file;
	struct config_value *value;
	struct error why;

	if (path == NULL || check_chain(in, name, path, err) != 0)
		return NULL;
	if (config_files_read(in->files, path, CONFIG_INCLUDE, &file, &why) != 0) {
		config_value_fail(err, name, "%s", why.detail);
		return NULL;
	}
	if (count_use(in, name, file, err) != 0 || config_file_parse(file, err) != 0)
		return NULL;
	in->chain[in->chain_count++] = path;
	value = resolve(in, config_value_read(file, &in->files->arena), top, err);
	in->chain_count--;
	return value;
}

/* The merged content of all files that a $include names, one over the other. */
static struct config_value *
load_all(struct including *in, const struct config_value *names, bool top, struct error *err)
{
	struct config_value *merged = arena_alloc(&in->files->arena, sizeof(*merged)), *value;

	merged->type = JSON_OBJECT;
	merged->file = names->file;
	merged->offset = names->offset;
	for (const struct config_value *name = names->first; name != NULL; name = name->next) {
		if (name->type != JSON_STRING) {
			config_value_fail(err, name, "$include names files by strings");
			return NULL;
		}
		value = load(in, name, top, err);
		if (value == NULL)
			return NULL;
		merged = config_value_merge(merged, value);
	}
	return merged;
}

static bool
is_blank(struct str text)
{
	return text.len == 0 || (text_is_utf8(text.s, text.len) && text_trim(text).len == 0);
}

/* --- a value --- */

/* Whether sevq reads this member of a config. */
static bool
is_needed(struct str name)
{
	static const struct str names[] = {
		STR_INIT("session"),  STR_INIT("agents"), STR_INIT("channels"),
		STR_INIT("bindings"), STR_INIT("hooks"),  STR_INIT("env"),
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

/*
 * One member into the object that is put together. An env block that cannot be resolved is left
 * out: a variable that is then missing is found where it is used.
 */
static int
add_member(struct including *in, struct config_value *object, struct config_value *member, bool top,
	   struct error *err)
{
	const bool optional = top && str_eq(member->name, STR("env"));
	struct str name = member->name;

	if (str_eq(name, STR("$include")) || (top && !is_needed(name)))
		return 0;
	member = resolve(in, member, false, optional ? in->unresolved : err);
	if (member == NULL)
		return optional ? 0 : -1;
	member->name = name;
	config_value_append(object, member);
	return 0;
}

/* The object's own members, resolved, without $include. */
static int
resolve_members(struct including *in, struct config_value *object, bool top, struct error *err)
{
	struct config_value *member = object->first, *next;

	object->first = object->last = NULL;
	for (; member != NULL; member = next) {
		next = member->next;
		if (add_member(in, object, member, top, err) != 0)
			return -1;
	}
	return 0;
}

static struct config_value *
resolve_object(struct including *in, struct config_value *object, bool top, struct error *err)
{
	const struct config_value *include = config_value_member(object, "$include");
	struct config_value *included = NULL;

	if (include != NULL) {
		if (include->type == JSON_STRING)
			included = load(in, include, top, err);
		else if (include->type == JSON_ARRAY)
			included = load_all(in, include, top, err);
		else
			config_value_fail(err, include,
					  "$include is a file's name, or an array of them");
		if (included == NULL)
			return NULL;
	}
	if (resolve_members(in, object, top, err) != 0)
		return NULL;
	if (include == NULL)
		return object;
	if (object->first == NULL)
		return included;
	if (included->type != JSON_OBJECT) {
		config_value_fail(err, include,
				  "members beside $include need an object to be merged over");
		return NULL;
	}
	return config_value_merge(included, object);
}

static struct config_value *
resolve_array(struct including *in, struct config_value *array, struct error *err)
{
	struct config_value *item = array->first, *next;

	array->first = array->last = NULL;
	for (; item != NULL; item = next) {
		next = item->next;
		item = resolve(in, item, false, err);
		if (item == NULL)
			return NULL;
		config_value_append(array, item);
	}
	return array;
}

/* top: the value stands at the top level of the config. NULL on failure. */
static struct config_value *
resolve(struct including *in, struct config_value *value, bool top, struct error *err)
{
	if (value->type == JSON_OBJECT)
		return resolve_object(in, value, top, err);
	return value->type == JSON_ARRAY ? resolve_array(in, value, err) : value;
}

/* The config's own file. A blank one is the empty config. */
static struct config_value *
read_main(struct config_files *files, const char *path, struct error *err)
{
	struct config_value *value;
	struct config_file *file;
	struct error why;

	if (config_files_read(files, path, CONFIG_MAIN, &file, &why) != 0) {
		error_set(err, ERROR_CONFIG, "policy %s", why.detail);
		return NULL;
	}
	if (is_blank((struct str){ file->text.data, file->text.len })) {
		value = arena_alloc(&files->arena, sizeof(*value));
		value->type = JSON_OBJECT;
		value->file = file;
		return value;
	}
	return config_file_parse(file, err) == 0 ? config_value_read(file, &files->arena) : NULL;
}

int
config_include_read(struct config_files *files, const char *path,
		    const struct config_environment *environment, struct config_value **ret,
		    struct error *unresolved, struct error *err)
{
	struct including in = { .files = files, .unresolved = unresolved };
	struct config_value *value = read_main(files, path, err);

	*unresolved = (struct error){ 0 };
	if (value == NULL)
		return -1;
	add_directory(&in, config_path_dir(&files->arena, path));
	add_listed_directories(&in,
			       config_environment_get(environment, STR("OPENCLAW_INCLUDE_ROOTS")));
	in.chain[in.chain_count++] = path;
	value = resolve(&in, value, true, err);
	if (value == NULL)
		return -1;
	if (value->type != JSON_OBJECT)
		return config_value_fail(
		    err, value, "a policy is an object, with members such as session and channels");
	*ret = value;
	return 0;
}
