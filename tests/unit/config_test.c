/*
 * config_test.c - an OpenClaw config read from its files: what $include and ${VAR} make of it, and
 * what is refused, with its place.
 *
 * Each row makes a directory of its own. What a config means is not looked at here: what comes out
 * is JSON.
 */
#include "server/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <unistd.h>

#include "server/config/dotenv.h"
#include "server/config/environment.h"
#include "server/config/paths.h"
#include "tests/unit/files.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define PATH_BYTES 512

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* A file in the directory of the test; text NULL: a directory. */
struct made {
	const char *name, *text, *link; /* link: the name is a symbolic link to that */
};

struct row {
	const char *what;
	struct made files[6];
	const char *want;  /* the JSON; NULL: it is refused */
	const char *fails; /* in the detail */
	int line, column;
	const char *in; /* the file that the detail names */
};

static char base[PATH_BYTES];

static void
empty_base(void)
{
	remove_directory(base);
	assert_int_equal(mkdir(base, 0700), 0);
}

static const char *
path_of(const char *name)
{
	static char path[2 * PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void
make(const struct made *made)
{
	const char *path = path_of(made->name);
	FILE *file;

	if (made->link != NULL) {
		assert_int_equal(symlink(made->link, path), 0);
		return;
	}
	if (made->text == NULL) {
		assert_int_equal(mkdir(path, 0700), 0);
		return;
	}
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(made->text, 1, strlen(made->text), file), strlen(made->text));
	fclose(file);
}

/* dir/openclaw.json and its neighbours, with dir/.env and base/gateway.env. */
static int
read_made(struct config *config, struct error *err)
{
	char path[2 * PATH_BYTES], env[2 * PATH_BYTES], gateway[2 * PATH_BYTES];
	const char *const dotenv[2] = { env, gateway };

	snprintf(path, sizeof(path), "%s/dir/openclaw.json", base);
	snprintf(env, sizeof(env), "%s/dir/.env", base);
	snprintf(gateway, sizeof(gateway), "%s/gateway.env", base);
	*config = (struct config){ 0 };
	return config_read(config, path, dotenv, err);
}

static void
check_refused(const struct row *row, const struct error *err)
{
	const char *in = path_of(row->in != NULL ? row->in : "dir/openclaw.json");

	if (row->want != NULL)
		fail_msg("%s: %s, at %d:%d", row->what, err->detail, err->line, err->column);
	if (strstr(err->detail, row->fails) == NULL || strstr(err->detail, in) == NULL ||
	    err->line != row->line || err->column != row->column)
		fail_msg("%s: %s, at %d:%d", row->what, err->detail, err->line, err->column);
	assert_int_equal(err->code, ERROR_CONFIG);
}

static void
check_row(const struct row *row)
{
	struct config config;
	struct error err;

	empty_base();
	make(&(struct made){ "dir" });
	for (size_t i = 0; i < COUNT(row->files) && row->files[i].name != NULL; i++)
		make(&row->files[i]);
	if (read_made(&config, &err) != 0)
		check_refused(row, &err);
	else if (row->want == NULL)
		fail_msg("%s: is not refused", row->what);
	else if (config.json.len != strlen(row->want) ||
		 memcmp(config.json.data, row->want, config.json.len) != 0)
		fail_msg("%s: %.*s", row->what, (int)config.json.len, config.json.data);
	config_clear(&config);
}

#define MAIN(text)                                                                                 \
	{                                                                                          \
		"dir/openclaw.json", (text)                                                        \
	}

static const struct row included[] = {
	{ "nothing to include",
	  { MAIN("{session:{scope:'global',}}") },
	  "{\"session\":{\"scope\":\"global\"}}" },
	{ "a file",
	  { MAIN("{agents:{$include:'./a.json5'}}"), { "dir/a.json5", "{list:[],}// \n" } },
	  "{\"agents\":{\"list\":[]}}" },
	{ "a file without ./",
	  { MAIN("{agents:{$include:'a'}}"), { "dir/a", "\xef\xbb\xbf{a:.5}" } },
	  "{\"agents\":{\"a\":0.5}}" },
	{ "at the top level, only what is needed",
	  { MAIN("{$include:'a'}"),
	    { "dir/a", "{models:{$include:'nowhere'},session:{},gateway:'${UNSET}',hooks:{}}" } },
	  "{\"session\":{},\"hooks\":{}}" },
	{ "an array of files, the later over the earlier",
	  { MAIN("{session:{$include:['a','b']}}"),
	    { "dir/a", "{x:1,l:[1],o:{p:1,q:1},n:1}" },
	    { "dir/b", "{l:[2,1],o:{q:2,r:2},x:{},n:null}" } },
	  "{\"session\":{\"x\":{},\"l\":[1,2,1],\"o\":{\"p\":1,\"q\":2,\"r\":2},\"n\":null}}" },
	{ "no files", { MAIN("{session:{$include:[]}}") }, "{\"session\":{}}" },
	{ "siblings over what is included, wherever $include stands",
	  { MAIN("{channels:{t:{allowFrom:[2]},$include:'a',u:{}}}"),
	    { "dir/a", "{s:{},t:{allowFrom:[1],x:1}}" } },
	  "{\"channels\":{\"s\":{},\"t\":{\"allowFrom\":[1,2],\"x\":1},\"u\":{}}}" },
	{ "siblings that include themselves",
	  { MAIN("{channels:{$include:'a',t:{$include:'b',c:3}}}"),
	    { "dir/a", "{t:{a:1,b:1,c:1}}" },
	    { "dir/b", "{b:2,c:2}" } },
	  "{\"channels\":{\"t\":{\"a\":1,\"b\":2,\"c\":3}}}" },
	{ "an array, a string, a number in an object's place",
	  { MAIN("{bindings:{$include:'a'},session:{mainKey:{$include:'b'},x:{$include:'c'}}}"),
	    { "dir/a", "[{}]" },
	    { "dir/b", "'hub'" },
	    { "dir/c", "-0x10" } },
	  "{\"bindings\":[{}],\"session\":{\"mainKey\":\"hub\",\"x\":-16}}" },
	{ "arrays one behind the other",
	  { MAIN("{bindings:{$include:['a','b']}}"), { "dir/a", "[1,[2]]" }, { "dir/b", "[3]" } },
	  "{\"bindings\":[1,[2],3]}" },
	{ "in an array's element",
	  { MAIN("{agents:{list:[{$include:'a',x:2},{$include:'a'}]}}"), { "dir/a", "{id:1}" } },
	  "{\"agents\":{\"list\":[{\"id\":1,\"x\":2},{\"id\":1}]}}" },
	{ "relative to the including file",
	  { MAIN("{agents:{$include:'sub/a'}}"),
	    { "dir/sub", NULL },
	    { "dir/sub/a", "{a:{$include:'b'},c:{$include:'../c'}}" },
	    { "dir/sub/b", "1" },
	    { "dir/c", "2" } },
	  "{\"agents\":{\"a\":1,\"c\":2}}" },
	{ "the same file twice is no circle",
	  { MAIN("{agents:{$include:'a'},session:{$include:['b','b']}}"),
	    { "dir/a", "{x:{$include:'b'}}" },
	    { "dir/b", "{y:[1]}" } },
	  "{\"agents\":{\"x\":{\"y\":[1]}},\"session\":{\"y\":[1,1]}}" },
	{ "a link to a file in the directory",
	  { MAIN("{agents:{$include:'l'}}"), { "dir/a", "7" }, { "dir/l", NULL, "a" } },
	  "{\"agents\":7}" },
	{ "the config itself is a link",
	  { { "dir/openclaw.json", NULL, "../elsewhere.json" },
	    { "elsewhere.json", "{agents:{$include:'a'}}" },
	    { "dir/a", "7" } },
	  "{\"agents\":7}" },
	{ "names of JavaScript are dropped in a merge, and __proto__ always",
	  { MAIN("{agents:{__proto__:{a:1},prototype:1},"
		 "session:{$include:'a',constructor:{},y:{prototype:1,__proto__:1}}}"),
	    { "dir/a", "{prototype:1,x:{constructor:1,z:1,l:[{prototype:1}]}}" } },
	  "{\"agents\":{\"prototype\":1},"
	  "\"session\":{\"x\":{\"z\":1,\"l\":[{\"prototype\":1}]},\"y\":{}}}" },
	{ "a blank config", { MAIN(" \n\t") }, "{}" },
	{ "$include in capitals or in a string is none",
	  { MAIN("{agents:{$Include:'x',a:'$include'}}") },
	  "{\"agents\":{\"$Include\":\"x\",\"a\":\"$include\"}}" },
};

static const struct row refused[] = {
	{ "missing",
	  { MAIN("{\n agents: {\n  $include: './a' } }") },
	  NULL,
	  "dir/a: No such file",
	  3,
	  13 },
	{ "missing of several",
	  { MAIN("{agents:{$include:['b',\n'a']}}"), { "dir/b", "{}" } },
	  NULL,
	  "dir/a: No such file",
	  2,
	  1 },
	{ "missing in an included file",
	  { MAIN("{agents:{$include:'a'}}"), { "dir/a", "\n{x:{$include:'b'}}" } },
	  NULL,
	  "dir/b: No such file",
	  2,
	  14,
	  "dir/a" },
	{ "missing at the top level",
	  { MAIN("{$include:'a'}") },
	  NULL,
	  "dir/a: No such file",
	  1,
	  11 },
	{ "in bindings", { MAIN("{bindings:[{$include:'a'}]}") }, NULL, "No such file", 1, 22 },
	{ "in channels",
	  { MAIN("{channels:{t:{dm:{$include:'a'}}}}") },
	  NULL,
	  "No such file",
	  1,
	  28 },
	{ "in session", { MAIN("{session:{$include:'a'}}") }, NULL, "No such file", 1, 20 },
	{ "in hooks", { MAIN("{hooks:{$include:'a'}}") }, NULL, "No such file", 1, 18 },
	{ "no JSON5",
	  { MAIN("{agents:{$include:'a'}}"), { "dir/a", "{\n  x: y }" } },
	  NULL,
	  "unexpected 'y'",
	  2,
	  6,
	  "dir/a" },
	{ "a repeated name",
	  { MAIN("{agents:{$include:'a'}}"), { "dir/a", "{x:1,\nx:2}" } },
	  NULL,
	  "",
	  2,
	  1,
	  "dir/a" },
	{ "a blank file",
	  { MAIN("{agents:{$include:'a'}}"), { "dir/a", "\n" } },
	  NULL,
	  "unexpected end",
	  2,
	  1,
	  "dir/a" },
	{ "outside, by ..",
	  { MAIN("{agents:{$include:'../a'}}"), { "a", "{}" } },
	  NULL,
	  "outside the config's directory",
	  1,
	  19 },
	{ "outside, by .. in the middle",
	  { MAIN("{agents:{$include:'x/../../a'}}"), { "a", "{}" } },
	  NULL,
	  "outside the config's directory",
	  1,
	  19 },
	{ "outside, absolute",
	  { MAIN("{agents:{$include:'/dev/null'}}") },
	  NULL,
	  "outside the config's directory",
	  1,
	  19 },
	{ "a directory whose name only starts like ours",
	  { MAIN("{agents:{$include:'../dir2/a'}}"), { "dir2", NULL }, { "dir2/a", "{}" } },
	  NULL,
	  "outside the config's directory",
	  1,
	  19 },
	{ "a link that leads outside",
	  { MAIN("{agents:{$include:'l'}}"), { "a", "{}" }, { "dir/l", NULL, "../a" } },
	  NULL,
	  "leads outside the config's directory",
	  1,
	  19 },
	{ "a linked directory that leads outside",
	  { MAIN("{agents:{$include:'l/a'}}"),
	    { "o", NULL },
	    { "o/a", "{}" },
	    { "dir/l", NULL, "../o" } },
	  NULL,
	  "leads outside the config's directory",
	  1,
	  19 },
	{ "a link that leads nowhere",
	  { MAIN("{agents:{$include:'l'}}"), { "dir/l", NULL, "nowhere" } },
	  NULL,
	  "dir/l: No such file",
	  1,
	  19 },
	{ "a directory",
	  { MAIN("{agents:{$include:'d'}}"), { "dir/d", NULL } },
	  NULL,
	  "Is a directory",
	  1,
	  19 },
	{ "the directory itself",
	  { MAIN("{agents:{$include:'.'}}") },
	  NULL,
	  "Is a directory",
	  1,
	  19 },
	{ "nothing", { MAIN("{agents:{$include:''}}") }, NULL, "Is a directory", 1, 19 },
	{ "itself", { MAIN("{agents:{$include:'openclaw.json'}}") }, NULL, "a circle", 1, 19 },
	{ "itself, by another spelling",
	  { MAIN("{agents:{$include:'.//x/../openclaw.json'}}") },
	  NULL,
	  "a circle",
	  1,
	  19 },
	{ "a circle of two",
	  { MAIN("{agents:{$include:'a'}}"),
	    { "dir/a", "{$include:'b'}" },
	    { "dir/b", "{x:[{$include:'a'}]}" } },
	  NULL,
	  "a circle",
	  1,
	  15,
	  "dir/b" },
	{ "a circle through links",
	  { MAIN("{agents:{$include:'a'}}"),
	    { "dir/a", "{$include:'l'}" },
	    { "dir/l", NULL, "a" } },
	  NULL,
	  "a circle",
	  1,
	  11,
	  "dir/l" },
	{ "a number", { MAIN("{agents:{$include:1}}") }, NULL, "$include is a file's name", 1, 19 },
	{ "null",
	  { MAIN("{agents:{$include:null,a:1}}") },
	  NULL,
	  "$include is a file's name",
	  1,
	  19 },
	{ "an object",
	  { MAIN("{agents:{$include:{}}}") },
	  NULL,
	  "$include is a file's name",
	  1,
	  19 },
	{ "an array with something else",
	  { MAIN("{agents:{$include:['a',2]}}"), { "dir/a", "{}" } },
	  NULL,
	  "$include names files by strings",
	  1,
	  24 },
	{ "siblings over an array",
	  { MAIN("{agents:{$include:'a',x:1}}"), { "dir/a", "[]" } },
	  NULL,
	  "members beside $include need an object",
	  1,
	  19 },
	{ "no object at the top",
	  { MAIN("{$include:'a'}"), { "dir/a", "[]" } },
	  NULL,
	  "a policy is an object",
	  1,
	  1,
	  "dir/a" },
	{ "no config", { { "dir/a", "" } }, NULL, "No such file", 0, 0 },
	{ "a path with a variable is a name",
	  { MAIN("{agents:{$include:'${SET}'}}"), { "dir/value", "{}" } },
	  NULL,
	  "dir/${SET}: No such file",
	  1,
	  19 },
};

static void
files_are_included(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(included); i++)
		check_row(&included[i]);
}

static void
what_cannot_be_included_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++)
		check_row(&refused[i]);
}

/* A chain of that many files behind the config. */
static int
read_chain(int levels, struct error *err)
{
	char names[20][16], texts[20][64];
	struct config config;
	int failed;

	empty_base();
	make(&(struct made){ "dir" });
	make(&(struct made)MAIN("{agents:{$include:'1'}}"));
	for (int i = 1; i <= levels; i++) {
		snprintf(names[i], sizeof(names[i]), "dir/%d", i);
		if (i < levels)
			snprintf(texts[i], sizeof(texts[i]), "{$include:'%d'}", i + 1);
		else
			snprintf(texts[i], sizeof(texts[i]), "{list:[]}");
		make(&(struct made){ names[i], texts[i] });
	}
	failed = read_made(&config, err);
	assert_int_equal(failed == 0 ? config.files.count : 0,
			 failed == 0 ? (size_t)levels + 1 : 0);
	config_clear(&config);
	return failed;
}

static void
ten_levels_and_no_more(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(read_chain(1, &err), 0);
	assert_int_equal(read_chain(10, &err), 0);
	assert_int_equal(read_chain(11, &err), -1);
	assert_non_null(strstr(err.detail, "dir/10: "));
	assert_non_null(strstr(err.detail, "more than 10 levels"));
	assert_int_equal(err.column, 11);
}

static void
a_hard_link_is_refused(void **state)
{
	struct config config;
	struct error err;
	char other[2 * PATH_BYTES];

	(void)state;
	empty_base();
	make(&(struct made){ "dir" });
	make(&(struct made)MAIN("{agents:{$include:'a'}}"));
	make(&(struct made){ "dir/a", "{}" });
	snprintf(other, sizeof(other), "%s/dir/b", base);
	assert_int_equal(link(path_of("dir/a"), other), 0);
	assert_int_equal(read_made(&config, &err), -1);
	assert_non_null(strstr(err.detail, "hard link"));
	config_clear(&config);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(read_made(&config, &err), 0);
	config_clear(&config);
}

static void
a_directory_may_be_allowed_by_name(void **state)
{
	char roots[4 * PATH_BYTES];
	struct config config;
	struct error err;

	(void)state;
	empty_base();
	make(&(struct made){ "dir" });
	make(&(struct made){ "other" });
	make(&(struct made){ "other/a", "[1]" });
	make(&(struct made)MAIN("{bindings:{$include:'../other/a'}}"));
	snprintf(roots, sizeof(roots), "/nowhere: %s/other/x/.. :", base);
	setenv("OPENCLAW_INCLUDE_ROOTS", roots, 1);
	assert_int_equal(read_made(&config, &err), 0);
	assert_string_equal(config.files.items[1]->path, path_of("other/a"));
	config_clear(&config);
	snprintf(roots, sizeof(roots), "%s/oth", base);
	setenv("OPENCLAW_INCLUDE_ROOTS", roots, 1);
	assert_int_equal(read_made(&config, &err), -1);
	config_clear(&config);
	unsetenv("OPENCLAW_INCLUDE_ROOTS");
}

/* --- limits --- */

static char *
repeated(const char *before, const char *what, size_t times, const char *behind)
{
	struct buf text = { 0 };

	buf_adds(&text, before);
	for (size_t i = 0; i < times; i++)
		buf_adds(&text, what);
	buf_adds(&text, behind);
	buf_add(&text, "", 1);
	return text.data;
}

/* Reads the config beside dir/a, and says what is wrong. */
static void
check_limit(const char *main_text, const char *a, const char *fails)
{
	struct config config;
	struct error err;

	empty_base();
	make(&(struct made){ "dir" });
	make(&(struct made)MAIN(main_text));
	make(&(struct made){ "dir/a", a });
	assert_int_equal(read_made(&config, &err), -1);
	if (strstr(err.detail, fails) == NULL)
		fail_msg("%s", err.detail);
	config_clear(&config);
}

static void
size_and_number_have_limits(void **state)
{
	char *two_mib = repeated("", " ", (2 << 20) - 2, "{}"),
	     *more = repeated("{} ", " ", 2 << 20, "");
	char *many = repeated("{agents:{$include:[", "'a',", 1001, "]}}");
	char *nine = repeated("{agents:{$include:[", "'a',", 5, "]}}");
	char *deep = repeated("{agents:", "[", 31, "{$include:'a'}");
	char *closed = repeated(deep, "]", 31, "}");

	(void)state;
	check_limit("{agents:{$include:'a'}}", more, "over 2097152 bytes");
	check_limit(many, "{}", "at most 1000 files");
	check_limit(nine, two_mib, "over 8388608 bytes");
	check_limit(closed, "{}", "nested too deeply");
	free(two_mib);
	free(more);
	free(many);
	free(nine);
	free(deep);
	free(closed);
}

/* --- variables --- */

static const struct row variables[] = {
	{ "set",
	  { MAIN("{session:{mainKey:'${SET}'}}") },
	  "{\"session\":{\"mainKey\":\"value\"}}" },
	{ "among other text, twice",
	  { MAIN("{session:{a:'<${SET}>${SET}$'}}") },
	  "{\"session\":{\"a\":\"<value>value$\"}}" },
	{ "escaped",
	  { MAIN("{session:{a:'$${SET}',b:'$$${SET}',c:'$$$${SET}',d:'$${UNSET}'}}") },
	  "{\"session\":{\"a\":\"${SET}\",\"b\":\"$${SET}\",\"c\":\"$$${SET}\",\"d\":\"${UNSET}\"}"
	  "}" },
	{ "no variable",
	  { MAIN("{session:{a:['$SET','${set}','${}','${1A}','${A-B}','${SET','$ {SET}','${ "
		 "SET}']}}") },
	  "{\"session\":{\"a\":[\"$SET\",\"${set}\",\"${}\",\"${1A}\",\"${A-B}\",\"${SET\",\"$ "
	  "{SET}\","
	  "\"${ SET}\"]}}" },
	{ "a variable behind what is none",
	  { MAIN("{session:{a:'${x${SET}'}}") },
	  "{\"session\":{\"a\":\"${xvalue\"}}" },
	{ "names of members have none",
	  { MAIN("{channels:{'${SET}':{'${UNSET}':1}}}") },
	  "{\"channels\":{\"${SET}\":{\"${UNSET}\":1}}}" },
	{ "in arrays and included files",
	  { MAIN("{channels:{t:{allowFrom:['${SET}',{$include:'a'}]}}}"), { "dir/a", "'${SET}'" } },
	  "{\"channels\":{\"t\":{\"allowFrom\":[\"value\",\"value\"]}}}" },
	{ "a value is not looked at again",
	  { MAIN("{session:{a:'${NESTED}'}}") },
	  "{\"session\":{\"a\":\"${SET} $${SET}\"}}" },
	{ "where it is not needed",
	  { MAIN("{models:{a:'${UNSET}'},session:{}}") },
	  "{\"session\":{}}" },
	{ "unset",
	  { MAIN("{session:{\n a:'${UNSET}'}}") },
	  NULL,
	  "the variable UNSET is not set",
	  2,
	  4 },
	{ "empty",
	  { MAIN("{hooks:{a:'x${EMPTY}'}}") },
	  NULL,
	  "the variable EMPTY is empty",
	  1,
	  11 },
	{ "unset, in an included file",
	  { MAIN("{channels:{$include:'a',t:{x:1}}}"), { "dir/a", "\n{t:{\ny:['','${UNSET}']}}" } },
	  NULL,
	  "UNSET is not set",
	  3,
	  7,
	  "dir/a" },
	{ "unset, but hidden by a sibling",
	  { MAIN("{session:{$include:'a',x:1}}"), { "dir/a", "{x:'${UNSET}'}" } },
	  "{\"session\":{\"x\":1}}" },
	{ "not UTF-8",
	  { MAIN("{agents:{a:'${BYTES}'}}") },
	  NULL,
	  "the variable BYTES is not UTF-8",
	  1,
	  12 },
};

#define ASK "{session:{a:'${A}'},env:"
#define SAYS(value) "{\"session\":{\"a\":\"" value "\"}"

static const struct row blocks[] = {
	{ "vars", { MAIN(ASK "{vars:{A:'1'}}}") }, SAYS("1") ",\"env\":{\"vars\":{\"A\":\"1\"}}}" },
	{ "its own strings", { MAIN(ASK "{A:'1'}}") }, SAYS("1") ",\"env\":{\"A\":\"1\"}}" },
	{ "its own strings go before vars",
	  { MAIN(ASK "{A:'2',vars:{A:'1'}}}") },
	  SAYS("2") ",\"env\":{\"A\":\"2\",\"vars\":{\"A\":\"1\"}}}" },
	{ "a name with blanks",
	  { MAIN(ASK "{' A ':'1'}}") },
	  SAYS("1") ",\"env\":{\" A \":\"1\"}}" },
	{ "from a file",
	  { MAIN(ASK "{vars:{$include:'e'}}}"), { "dir/e", "{A:'1'}" } },
	  SAYS("1") ",\"env\":{\"vars\":{\"A\":\"1\"}}}" },
	{ "from a top-level file",
	  { MAIN("{$include:'e',session:{a:'${A}'}}"), { "dir/e", "{env:{A:'1'}}" } },
	  "{\"env\":{\"A\":\"1\"},\"session\":{\"a\":\"1\"}}" },
	{ "the process goes first",
	  { MAIN("{env:{SET:'1'},session:{a:'${SET}'}}") },
	  "{\"env\":{\"SET\":\"1\"},\"session\":{\"a\":\"value\"}}" },
	{ "but not where it has a blank",
	  { MAIN("{env:{EMPTY:'1',BLANK:'2'},session:{a:'${EMPTY}${BLANK}'}}") },
	  "{\"env\":{\"EMPTY\":\"1\",\"BLANK\":\"2\"},\"session\":{\"a\":\"12\"}}" },
	{ "a value that names a variable",
	  { MAIN(ASK "{A:'${SET}'}}") },
	  NULL,
	  "A is not set",
	  1,
	  13 },
	{ "a number", { MAIN(ASK "{A:1}}") }, NULL, "A is not set", 1, 13 },
	{ "a blank value", { MAIN(ASK "{A:' '}}") }, NULL, "A is not set", 1, 13 },
	{ "no object", { MAIN(ASK "['A']}") }, NULL, "A is not set", 1, 13 },
	{ "what cannot be included is missing where it is used",
	  { MAIN(ASK "{vars:{$include:'nowhere'}}}") },
	  NULL,
	  "A is not set",
	  1,
	  13 },
	{ "and nowhere else",
	  { MAIN("{session:{},env:{$include:'nowhere',A:'1'}}") },
	  "{\"session\":{}}" },
	{ ".env goes before the block",
	  { MAIN(ASK "{A:'1'}}"), { "dir/.env", "A=0" } },
	  SAYS("0") ",\"env\":{\"A\":\"1\"}}" },
	{ ".env goes before gateway.env, and behind the process",
	  { MAIN("{session:{a:['${A}','${B}','${SET}']}}"),
	    { "dir/.env", "A=1\nSET=2\n" },
	    { "gateway.env", "A=3\nB=4\n" } },
	  "{\"session\":{\"a\":[\"1\",\"4\",\"value\"]}}" },
	{ "the last of a file counts",
	  { MAIN("{session:{a:'${A}'}}"), { "dir/.env", "A=1\nA=2\n" } },
	  "{\"session\":{\"a\":\"2\"}}" },
	{ "a variable that the process has, if empty",
	  { MAIN("{session:{a:'${EMPTY}'}}"), { "dir/.env", "EMPTY=1" } },
	  NULL,
	  "EMPTY is empty",
	  1,
	  13 },
};

static void
variables_are_replaced(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(variables); i++)
		check_row(&variables[i]);
}

static void
an_env_block_gives_what_the_process_has_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(blocks); i++)
		check_row(&blocks[i]);
}

static void
an_env_block_that_is_left_out_is_told(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	empty_base();
	make(&(struct made){ "dir" });
	make(&(struct made)MAIN("{env:{$include:'e'}}"));
	assert_int_equal(read_made(&config, &err), 0);
	assert_int_equal(config.warning.code, ERROR_CONFIG);
	assert_int_equal(config.warning.column, 16);
	config_clear(&config);
	make(&(struct made){ "dir/e", "{}" });
	assert_int_equal(read_made(&config, &err), 0);
	assert_int_equal(config.warning.code, ERROR_NONE);
	config_clear(&config);
}

/* --- .env files --- */

static const struct {
	const char *text, *names; /* NAME=value of each, with ; behind it */
} dotenvs[] = {
	{ "", "" },
	{ "A=1", "A=1;" },
	{ "A=1\nB=2\r\nC=3\rD=4", "A=1;B=2;C=3;D=4;" },
	{ "  export A = 1  \n\n\texport\tB=2", "A=1;B=2;" },
	{ "A: 1\nB:2\nexporting=3", "A=1;exporting=3;" },
	{ "A=\nB=  \nC=''", "A=;B=;C=;" },
	{ "# A=1\nA=1 # one\nB=a#b\nC='a#b' # c\nD=\"#\"", "A=1;B=a;C=a#b;D=#;" },
	{ "A='it''s'\nB=\"a\"b\nC=a'b'", "A='it''s';B=\"a\"b;C=a'b';" },
	{ "A=\"1\n2\"\nB='3\n4'\nC=`5\n6`", "A=1\n2;B=3\n4;C=5\n6;" },
	{ "A=\"1\\n2\\r\"\nB='1\\n2'\nC=1\\n2", "A=1\n2\r;B=1\\n2;C=1\\n2;" },
	{ "A=\"a\\\"b\"", "A=a\\\"b;" },
	{ "A=\"open\nB=2", "A=\"open;B=2;" },
	{ "1A=1\nA-B=1\nA.B=1\n=1\nA\nA B=1\nB=2", "B=2;" },
	{ "A==1\nB=a=b", "A==1;B=a=b;" },
	{ "A=\xff\nB=\xc3\xa9", "B=\xc3\xa9;" },
};

static void
the_lines_of_a_dotenv_file_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dotenvs); i++) {
		const char *text = dotenvs[i].text;
		struct dotenv dotenv = { text, text + strlen(text) };
		struct arena arena = { 0 };
		struct str name, value;
		struct buf all = { 0 };

		while (dotenv_next(&dotenv, &arena, &name, &value))
			buf_addf(&all, "%.*s=%.*s;", (int)name.len, name.s, (int)value.len,
				 value.s);
		if (all.len != strlen(dotenvs[i].names) ||
		    (all.len > 0 && memcmp(all.data, dotenvs[i].names, all.len) != 0))
			fail_msg("%s: %.*s", text, (int)all.len, all.len > 0 ? all.data : "");
		buf_clear(&all);
		arena_clear(&arena);
	}
}

/* --- where the config is --- */

static void
check_found(const char *named, const char *want)
{
	struct arena arena = { 0 };
	const char *found;
	struct error err;

	assert_int_equal(config_path_find(&arena, named, &found, &err), 0);
	if (want == NULL)
		assert_null(found);
	else
		assert_string_equal(found, want[0] == '/' ? want : path_of(want));
	arena_clear(&arena);
}

static void
check_dotenv(const char *named, const char *first, const char *second)
{
	const char *found[2];
	struct arena arena = { 0 };

	config_path_dotenv(&arena, named, found);
	assert_string_equal(found[0], first[0] == '/' ? first : path_of(first));
	assert_int_equal(found[1] == NULL, second == NULL);
	if (second != NULL)
		assert_string_equal(found[1], path_of(second));
	arena_clear(&arena);
}

static void
the_config_is_found_where_openclaw_has_it(void **state)
{
	(void)state;
	empty_base();
	setenv("HOME", base, 1);
	check_found(NULL, NULL);
	make(&(struct made){ ".clawdbot" });
	make(&(struct made){ ".clawdbot/clawdbot.json", "{}" });
	check_found(NULL, ".clawdbot/clawdbot.json");
	make(&(struct made){ ".openclaw" });
	check_found(NULL, ".clawdbot/clawdbot.json");
	make(&(struct made){ ".openclaw/clawdbot.json", "{}" });
	check_found(NULL, ".openclaw/clawdbot.json");
	make(&(struct made){ ".openclaw/openclaw.json", "{}" });
	check_found(NULL, ".openclaw/openclaw.json");
	check_dotenv(NULL, ".openclaw/.env", ".config/openclaw/gateway.env");
	check_found("/x/../y", "/y");
	check_dotenv("/x/y", "/x/.env", ".config/openclaw/gateway.env");

	setenv("OPENCLAW_HOME", " ~/h ", 1);
	check_found(NULL, NULL);
	check_dotenv(NULL, "h/.openclaw/.env", "h/.config/openclaw/gateway.env");
	make(&(struct made){ "h" });
	make(&(struct made){ "h/.openclaw" });
	make(&(struct made){ "h/.openclaw/openclaw.json", NULL, "nowhere" });
	check_found(NULL,
		    "h/.openclaw/openclaw.json"); /* a link that leads nowhere is refused later */
	setenv("OPENCLAW_HOME", "undefined", 1);
	check_found(NULL, ".openclaw/openclaw.json");
	unsetenv("OPENCLAW_HOME");

	setenv("OPENCLAW_STATE_DIR", "~/s", 1);
	check_found(NULL, NULL);
	check_dotenv(NULL, "s/.env", NULL);
	check_dotenv("/x/y", "s/.env", NULL);
	make(&(struct made){ "s" });
	make(&(struct made){ "s/openclaw.json", "{}" });
	check_found(NULL, "s/openclaw.json");
	setenv("OPENCLAW_STATE_DIR", "~/.openclaw", 1);
	check_dotenv(NULL, ".openclaw/.env", ".config/openclaw/gateway.env");

	setenv("OPENCLAW_CONFIG_PATH", " ~/c/../d.json\t", 1);
	check_found(NULL, "d.json");
	check_found("/y", "/y");
	setenv("OPENCLAW_STATE_DIR", " ", 1);
	check_dotenv(NULL, ".env", ".config/openclaw/gateway.env");
	setenv("OPENCLAW_CONFIG_PATH", "~x", 1);
	unsetenv("OPENCLAW_STATE_DIR");
	assert_int_equal(chdir(base), 0);
	check_found(NULL, "~x"); /* another user's home is not looked up */
	check_found("a/b", "a/b");
	unsetenv("OPENCLAW_CONFIG_PATH");
}

static int
set_up(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/sevq-config-XXXXXX");
	if (mkdtemp(base) == NULL)
		return -1;
	for (char **e = environ; *e != NULL;) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*e, "="), *e);
		if (strncmp(name, "OPENCLAW_", 9) == 0)
			unsetenv(name);
		else
			e++;
	}
	setenv("SET", "value", 1);
	setenv("EMPTY", "", 1);
	setenv("BLANK", " ", 1);
	setenv("NESTED", "${SET} $${SET}", 1);
	setenv("BYTES", "\xff", 1);
	unsetenv("UNSET");
	unsetenv("A");
	unsetenv("B");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return chdir("/") != 0 || remove_directory(base) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_included),
		cmocka_unit_test(what_cannot_be_included_is_refused_with_its_place),
		cmocka_unit_test(ten_levels_and_no_more),
		cmocka_unit_test(a_hard_link_is_refused),
		cmocka_unit_test(a_directory_may_be_allowed_by_name),
		cmocka_unit_test(size_and_number_have_limits),
		cmocka_unit_test(variables_are_replaced),
		cmocka_unit_test(an_env_block_gives_what_the_process_has_not),
		cmocka_unit_test(an_env_block_that_is_left_out_is_told),
		cmocka_unit_test(the_lines_of_a_dotenv_file_are_read),
		cmocka_unit_test(the_config_is_found_where_openclaw_has_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
