/*
 * policy_file.c - finding and reading the policy.
 */
#include "server/policy_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "server/file.h"

/* The path into out, NUL-terminated; empty for none. One that was named must be there, the default one may be missing. */
static void
find(const struct sevq_options *options, struct sevq_buf *out)
{
	const char *named = options->policy, *home = getenv("HOME");

	if (named == NULL)
		named = getenv("OPENCLAW_CONFIG_PATH");
	if (named != NULL && *named != '\0')
		sevq_buf_adds(out, named);
	else if (home != NULL && *home != '\0')
		sevq_buf_addf(out, "%s/.openclaw/openclaw.json", home);
	sevq_buf_add(out, "", 1);
	if ((named == NULL || *named == '\0') && access(out->data, F_OK) != 0)
		out->data[0] = '\0';
}

int
sevq_policy_file_read(const char *path, struct sevq_policy **ret, struct sevq_error *err)
{
	struct sevq_buf text = { 0 };
	struct sevq_error why = { 0 };
	int failed = sevq_file_read(path, SEVQ_POLICY_BYTES_MAX, &text, err);

	if (!failed && sevq_policy_parse(text.data, text.len, ret, &why) != 0) {
		failed = sevq_fail(err, SEVQ_CONFIG, "policy %s: %s", path, why.detail);
		err->line = why.line;
		err->column = why.column;
	}
	sevq_buf_clear(&text);
	return failed;
}

int
sevq_policy_file_load(const struct sevq_options *options, struct sevq_policy **ret, struct sevq_error *err)
{
	struct sevq_buf path = { 0 };
	int failed;

	find(options, &path);
	failed = path.data[0] != '\0' ? sevq_policy_file_read(path.data, ret, err) : sevq_policy_parse("", 0, ret, err);
	sevq_buf_clear(&path);
	return failed;
}
