/*
 * policy_file.c - finding, reading and compiling the policy.
 */
#include "server/policy_file.h"

#include <stdlib.h>

#include "server/config/config.h"
#include "server/config/paths.h"

static void
remember(const struct config *config, const char *path, struct policy_source *ret)
{
	const struct config_files *files = &config->files;

	*ret = (struct policy_source){ .warning = config->warning };
	ret->files = mem_alloc((files->count + 1) * sizeof(char *));
	for (size_t i = 0; i < files->count; i++) {
		ret->files[ret->count++] = strdup(files->items[i]->path);
		if (strcmp(path, files->items[i]->path) == 0)
			ret->config = ret->files[i];
	}
	config_files_hash(files, ret->hash);
}

static struct given_owners
owners_of(const struct options *options, struct given_owner room[OPTION_LIST_MAX])
{
	struct given_owners owners = { .items = room };

	for (size_t i = 0; i < options->owner.count; i++)
		owners.count +=
		    options_owner(options->owner.items[i], &room[owners.count], NULL) == 0;
	return owners;
}

int
policy_file_parse(const struct options *options, struct str text, struct policy **ret,
		  struct error *err)
{
	struct given_owner room[OPTION_LIST_MAX];
	const struct given_owners owners = owners_of(options, room);

	return policy_parse(text.s, text.len, &owners, ret, err);
}

/* The config and what it was read from, at the path; NULL for none, which is the empty config. */
static int
compile(const struct options *options, const char *path, const char *const dotenv[2],
	struct policy **ret, struct policy_source *source, struct error *err)
{
	struct config config = { 0 };
	int failed = path != NULL ? config_read(&config, path, dotenv, err) : 0;

	if (!failed)
		failed = policy_file_parse(
		    options, (struct str){ config.json.data, config.json.len }, ret, err);
	if (!failed && source != NULL) {
		*source = (struct policy_source){ 0 };
		if (path != NULL)
			remember(&config, path, source);
	}
	config_clear(&config);
	return failed;
}

int
policy_file_load(const struct options *options, struct policy **ret, struct policy_source *source,
		 struct error *err)
{
	struct arena arena = { 0 };
	const char *path, *dotenv[2];
	int failed = config_path_find(&arena, options->policy, &path, err);

	config_path_dotenv(&arena, options->policy, dotenv);
	if (!failed)
		failed = compile(options, path, dotenv, ret, source, err);
	arena_clear(&arena);
	return failed;
}

void
policy_source_clear(struct policy_source *source)
{
	for (size_t i = 0; i < source->count; i++)
		free(source->files[i]);
	free(source->files);
	*source = (struct policy_source){ 0 };
}

bool
policy_source_same(const struct policy_source *a, const struct policy_source *b)
{
	bool same = a->count == b->count && memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->files[i], b->files[i]) == 0;
	return same;
}
