/*
 * policy_file.c - finding and reading the policy.
 */
#include "server/policy_file.h"

#include <stdlib.h>

#include <unistd.h>

#include "server/file.h"

/*
 * The path into out, NUL-terminated; empty for none. One that was named must be there, the default
 * one may be missing.
 */
static void
find(const struct options *options, struct buf *out)
{
	const char *named = options->policy, *home = getenv("HOME");

	if (named == NULL)
		named = getenv("OPENCLAW_CONFIG_PATH");
	if (named != NULL && *named != '\0')
		buf_adds(out, named);
	else if (home != NULL && *home != '\0')
		buf_addf(out, "%s/.openclaw/openclaw.json", home);
	buf_add(out, "", 1);
	if ((named == NULL || *named == '\0') && access(out->data, F_OK) != 0)
		out->data[0] = '\0';
}

int
policy_file_read(const char *path, struct policy **ret, struct error *err)
{
	struct buf text = { 0 };
	struct error why = { 0 };
	int failed = file_read(path, POLICY_BYTES_MAX, &text, err);

	if (!failed && policy_parse(text.data, text.len, ret, &why) != 0) {
		failed = error_set(err, ERROR_CONFIG, "policy %s: %s", path, why.detail);
		err->line = why.line;
		err->column = why.column;
	}
	buf_clear(&text);
	return failed;
}

int
policy_file_load(const struct options *options, struct policy **ret, struct error *err)
{
	struct buf path = { 0 };
	int failed;

	find(options, &path);
	failed = path.data[0] != '\0' ? policy_file_read(path.data, ret, err)
				      : policy_parse("", 0, ret, err);
	buf_clear(&path);
	return failed;
}
