/*
 * session_key.h - the grammar of session keys, agent ids and account ids (ROUTING sections 1 and
 * 2).
 *
 * Here: normalise, classify, parse, build. Pure functions over valid UTF-8 of any length. None of
 * them fails: a text that does not fit the grammar has a shape that says so. Results are borrowed
 * from the input (a plain key is not copied) or live in the arena.
 * Not here: policy, owners, rules (queue/policy/route), limits (schema/event.h).
 */
#ifndef SCHEMA_SESSION_KEY_H
#define SCHEMA_SESSION_KEY_H

#include "schema/mem.h"
#include "schema/text.h"

/* Section 1. An id that normalises to nothing is "main". */
struct str agent_id_normalize(struct arena *arena, struct str id);

/* The same, but NULL for an id that normalises to nothing. */
struct str agent_id_normalize_strict(struct arena *arena, struct str id);

/*
 * Section 1. An id that normalises to nothing, or to a name that JavaScript reserves, is "default";
 * in the optional variant it is absent (NULL).
 */
struct str account_id_normalize(struct arena *arena, struct str id);
struct str account_id_normalize_optional(struct arena *arena, struct str id);
bool account_id_is_reserved(struct str id); /* __proto__, prototype, constructor */

/*
 * Section 2.1: trimmed and lower-cased, except for the opaque ids of Signal groups and Matrix
 * rooms. A blank key gives empty text.
 */
struct str session_key_normalize(struct arena *arena, struct str key);

/* Section 2.3. */
enum key_shape {
	KEY_BLANK,
	KEY_BARE,
	KEY_AGENT,
	KEY_MALFORMED, /* starts with "agent:" but is no agent key */
};

/* A key taken apart (section 2.2), all of it key-normalised. */
struct session_key {
	struct str key;      /* agent key: "agent:" agent_id ":" rest; else the normalised text */
	struct str agent_id; /* lower-cased and trimmed, not sanitised; NULL unless an agent key */
	struct str rest; /* what follows "agent:" agent_id ":"; the whole key unless an agent key */
};

/* Parses any text and returns its shape. *ret is always written. */
enum key_shape session_key_parse(struct arena *arena, struct str key, struct session_key *ret);

/* "agent:" agent_id ":" rest. The caller has normalised both. */
struct str session_key_build(struct arena *arena, struct str agent_id, struct str rest);

/* Is key exactly "agent:" agent_id ":" rest? */
bool session_key_is(struct str key, struct str agent_id, struct str rest);

/* The agent id of a queue key, which is always a normalised agent key. */
struct str session_key_agent(struct str queue_key);

/*
 * "agent:" agent id ":", the prefix of every queue key of that agent. Normalises the id.
 */
struct str agent_key_prefix(struct arena *arena, struct str agent_id);

/*
 * Section 2.4: the trimmed key up to its last ":thread:" (any case); all of it if there is none.
 */
struct str session_key_base(struct str key);

/* Section 2.5. A bare key is never a cron run. */
bool session_key_is_cron_run(const struct session_key *key);

/*
 * The person that a direct key names. All folded; channel and account are empty where the key has
 * none.
 */
struct direct_target {
	struct str channel, account, peer;
};

/*
 * Section 2, "Chat type" and "Direct target". False, with *ret unchanged, when the key names none.
 */
bool session_key_direct_target(struct arena *arena, struct str key, struct direct_target *ret);

#endif
