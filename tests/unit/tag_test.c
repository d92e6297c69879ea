/*
 * tag_test.c - a tag holds once what many events share, matches by ROUTING section 7, and is freed
 * with its last event.
 */
#include "queue/catalog/tag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct tags tags;

static int
begin(void **state)
{
	(void)state;
	tags_init(&tags);
	return 0;
}

/* Every reference was released, so no tag is left. */
static int
nothing_is_left(void **state)
{
	(void)state;
	bool clean = tags.bytes == 0 && tags.index.count == 0 && tags.free_count == tags.count - 1;
	tags_clear(&tags);
	return clean ? 0 : -1;
}

static const struct delivery nowhere;
static const struct delivery text_thread = { .channel = { "telegram", 8 },
					     .thread_id = { "7", 1 } };
static const struct delivery number_thread = { .channel = { "telegram", 8 },
					       .thread_id = { "7", 1 },
					       .thread_is_number = true };

static uint32_t
intern(const char *context_key, const char *original_key, const struct delivery *delivery)
{
	return tags_intern(&tags, str_of(context_key), str_of(original_key), delivery);
}

static uint32_t
match(uint32_t id)
{
	return tags_get(&tags, id)->match;
}

static void
release(const uint32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		tags_release(&tags, ids[i]);
}

static void
a_plain_event_has_tag_0(void **state)
{
	(void)state;
	assert_int_equal(intern(NULL, NULL, &nowhere), 0);
	assert_null(tags_get(&tags, 0)->context_key.s);
	assert_int_equal(match(0), 0);
	tags_hold(&tags, 0);
	tags_release(&tags, 0);
	tags_release(&tags, 0);
}

static void
equal_parts_share_a_tag(void **state)
{
	(void)state;
	char key[] = "build", from[] = "agent:a:x";
	uint32_t ids[2] = { intern(key, from, &text_thread) };
	key[0] = from[0] = '?'; /* the tag has its own copy */
	ids[1] = intern("build", "agent:a:x", &text_thread);
	assert_int_equal(ids[0], ids[1]);
	assert_int_equal(tags_get(&tags, ids[0])->refs, 2);
	release(ids, 2);
}

static void
a_difference_in_any_part_makes_another_tag(void **state)
{
	(void)state;
	const struct delivery to = { .to = { "telegram", 8 } },
			      account = { .account_id = { "telegram", 8 } };
	uint32_t ids[] = { intern("k", NULL, &nowhere),
			   intern(NULL, "k", &nowhere),
			   intern("k", "k", &nowhere),
			   intern("kk", NULL, &nowhere),
			   intern("k", NULL, &text_thread),
			   intern("k", NULL, &number_thread),
			   intern(NULL, NULL, &to),
			   intern(NULL, NULL, &account),
			   intern("telegram", NULL, &nowhere),
			   intern("ktele", "gram", &to),
			   intern("k", "telegram", &to) };
	size_t count = sizeof(ids) / sizeof(*ids);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(ids[i], ids[j]);
	release(ids, count);
}

static void
a_number_thread_matches_the_same_text(void **state)
{
	(void)state;
	const struct delivery no_thread = { .channel = { "telegram", 8 } };
	uint32_t ids[] = { intern("k", NULL, &number_thread), intern("k", NULL, &text_thread),
			   intern("k", NULL, &no_thread), intern("k", NULL, &nowhere) };
	assert_int_not_equal(ids[0], ids[1]);
	assert_int_equal(match(ids[0]), match(ids[1]));
	assert_int_not_equal(match(ids[0]), match(ids[2]));
	assert_int_not_equal(match(ids[2]), match(ids[3]));
	assert_true(tags_get(&tags, ids[0])->delivery.thread_is_number);
	release(ids, sizeof(ids) / sizeof(*ids));
}

static void
the_original_key_is_no_part_of_a_match(void **state)
{
	(void)state;
	uint32_t ids[] = { intern("k", "agent:a:x", &nowhere), intern("k", "agent:a:y", &nowhere),
			   intern("k", NULL, &nowhere), intern(NULL, "agent:a:x", &nowhere),
			   intern("other", "agent:a:x", &nowhere) };
	assert_int_equal(match(ids[0]), match(ids[1]));
	assert_int_equal(match(ids[0]), match(ids[2]));
	assert_int_equal(match(ids[3]), 0);
	assert_int_not_equal(match(ids[0]), match(ids[4]));
	release(ids, 5);
}

/*
 * The tag that stands for the group outlives the event that made it, so a later event finds the
 * same group.
 */
static void
a_match_group_lives_as_long_as_its_last_member(void **state)
{
	(void)state;
	uint32_t plain = intern("k", NULL, &nowhere), first = intern("k", "agent:a:x", &nowhere),
		 group = match(first);
	tags_release(&tags, plain);
	uint32_t second = intern("k", "agent:a:y", &nowhere);
	tags_release(&tags, first);
	assert_int_equal(match(second), group);
	assert_true(str_eq(tags_get(&tags, group)->context_key, STR("k")));
	tags_release(&tags, second);
}

static void
ids_of_freed_tags_are_reused(void **state)
{
	(void)state;
	uint32_t ids[100];
	char key[8] = "k";
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 100; i++) {
			key[1] = (char)('A' + i);
			ids[i] = intern(key, "x", &nowhere);
		}
		release(ids, 100);
	}
	assert_int_equal(tags.count, 1 + 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, nothing_is_left)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plain_event_has_tag_0),
		TEST(equal_parts_share_a_tag),
		TEST(a_difference_in_any_part_makes_another_tag),
		TEST(a_number_thread_matches_the_same_text),
		TEST(the_original_key_is_no_part_of_a_match),
		TEST(a_match_group_lives_as_long_as_its_last_member),
		TEST(ids_of_freed_tags_are_reused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
