/* policy_watch_test.c - which changes of which files make another reading due, and when. */
#include "server/policy_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <event2/event.h>
#include <unistd.h>

/* A directory with a config and a link to it over another link, as a container mounts it. */
static char dir[] = "/tmp/sevq-watch-XXXXXX";
static char paths[8][128];
enum { CONFIG, PART, LINK, DATA, FIRST, SECOND, FRESH, OTHER };
static const char *const names[] = { "config", "part", "link",  "..data",
				     "..1",    "..2",  "fresh", "other" };

static struct event_base *base;
static struct policy_watch *watch;
static struct policy_source source;

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void
link_to(const char *target, const char *path)
{
	assert_int_equal(symlink(target, paths[FRESH]), 0);
	assert_int_equal(rename(paths[FRESH], path), 0);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	*(bool *)arg = true;
}

/* Runs the loop until a reading is due, or for longer than any change takes to be still. */
static bool
becomes_due(void)
{
	bool over = false;
	struct event *end = evtimer_new(base, on_end, &over);

	event_add(end, &(struct timeval){ .tv_usec = 300000 });
	while (!over && !policy_watch_is_due(watch))
		event_base_loop(base, EVLOOP_ONCE);
	event_free(end);
	return policy_watch_is_due(watch);
}

static void
watch_path(int first, int second)
{
	static char *files[2];

	files[0] = paths[first], files[1] = paths[second];
	source = (struct policy_source){ .files = files, .count = first == second ? 1 : 2 };
	policy_watch_set(watch, &source);
}

/* The first reading after a start is due by itself; then nothing is, until something changes. */
static void
settle(void)
{
	assert_true(becomes_due());
	policy_watch_forget(watch);
	policy_watch_set(watch, &source);
}

static int
begin(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, names[i]);
	base = event_base_new();
	watch = policy_watch_new(base, 50);
	assert_non_null(watch);
	write_file(paths[CONFIG], "1"), write_file(paths[PART], "1");
	return 0;
}

static int
end(void **state)
{
	(void)state;
	policy_watch_free(watch);
	event_base_free(base);
	return 0;
}

static void
files_that_are_new_are_read_once_more(void **state)
{
	(void)state;
	watch_path(CONFIG, CONFIG);
	settle();
	assert_false(becomes_due());
	watch_path(CONFIG, PART);
	assert_true(becomes_due());
}

static void
a_file_that_is_written_is_noticed(void **state)
{
	(void)state;
	watch_path(CONFIG, PART);
	settle();
	write_file(paths[PART], "2");
	assert_true(becomes_due());
}

static void
a_file_that_is_replaced_is_noticed(void **state)
{
	(void)state;
	watch_path(CONFIG, PART);
	settle();
	write_file(paths[FRESH], "2");
	assert_int_equal(rename(paths[FRESH], paths[CONFIG]), 0);
	assert_true(becomes_due());
}

static void
a_link_that_leads_elsewhere_is_noticed(void **state)
{
	char file[160];

	(void)state;
	for (int i = FIRST; i <= SECOND; i++) {
		assert_int_equal(mkdir(paths[i], 0700), 0);
		snprintf(file, sizeof(file), "%s/config", paths[i]);
		write_file(file, "1");
	}
	link_to("..1", paths[DATA]);
	link_to("..data/config", paths[LINK]);
	watch_path(LINK, LINK);
	settle();
	snprintf(file, sizeof(file), "%s/config", paths[FIRST]);
	write_file(file, "2");
	assert_true(becomes_due()); /* what the links lead to */
	policy_watch_forget(watch);
	link_to("..2", paths[DATA]);
	assert_true(becomes_due()); /* a link on the way */
	policy_watch_forget(watch);
	link_to("..2/config", paths[LINK]);
	assert_true(becomes_due()); /* the last link */
}

static void
links_in_a_circle_are_given_up(void **state)
{
	(void)state;
	link_to("link", paths[LINK]);
	watch_path(LINK, LINK);
	assert_true(becomes_due());
}

static void
other_files_are_not_noticed(void **state)
{
	(void)state;
	watch_path(CONFIG, CONFIG);
	settle();
	write_file(paths[OTHER], "1");
	assert_int_equal(unlink(paths[OTHER]), 0);
	write_file(paths[PART], "2");
	assert_false(becomes_due());
}

static void
what_was_read_meanwhile_is_forgotten(void **state)
{
	(void)state;
	watch_path(CONFIG, CONFIG);
	settle();
	write_file(paths[CONFIG], "2");
	event_base_loop(base, EVLOOP_ONCE);
	write_file(paths[CONFIG], "3");
	policy_watch_forget(watch);
	assert_false(becomes_due());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static const struct CMUnitTest tests[] = {
	TEST(files_that_are_new_are_read_once_more), TEST(a_file_that_is_written_is_noticed),
	TEST(a_file_that_is_replaced_is_noticed),    TEST(a_link_that_leads_elsewhere_is_noticed),
	TEST(links_in_a_circle_are_given_up),        TEST(other_files_are_not_noticed),
	TEST(what_was_read_meanwhile_is_forgotten),
};

int
main(void)
{
	char remove[64];

	if (mkdtemp(dir) == NULL)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(remove, sizeof(remove), "rm -r %s", dir);
	return system(remove) != 0 || failed;
}
