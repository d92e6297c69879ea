/*
 * hook_gates.h - what `hooks` of a config lets the senders of webhooks ask for.
 *
 * Here: which agents a sender may name and wake, whether it may name a session and which, and how
 * long its bodies may be. Tokens and paths of `hooks` mean nothing here: this server has its own.
 * Not here: the form of a body (server/), where a key leads (route).
 *
 * A config without `hooks` closes no gate. One that has it has OpenClaw's defaults as well: a
 * sender may not name a session unless allowRequestSessionKey is true.
 */
#ifndef QUEUE_POLICY_HOOK_GATES_H
#define QUEUE_POLICY_HOOK_GATES_H

#include "queue/policy/agents.h"
#include "schema/error.h"
#include "schema/event.h"

#define HOOK_BODY_BYTES_DEFAULT (256 << 10)

struct hook_texts {
	struct str *items;
	size_t count;
};

/* Lives in the arena that was given; agents is borrowed. */
struct hook_gates {
	const struct agents *agents;
	bool session_keys;          /* a sender may name a session */
	bool any_agent;             /* every agent may be woken; else only those allowed */
	struct hook_texts allowed;  /* agent ids, normalised */
	struct hook_texts prefixes; /* folded; a named session begins with one; none: any does */
	size_t body_bytes_max;
};

/*
 * hooks: the config's, NULL for none. ERROR_CONFIG for a value of a type that OpenClaw refuses, and
 * where defaultSessionKey has none of the prefixes, which stops OpenClaw's start.
 */
int hook_gates_compile(const cJSON *hooks, const struct agents *agents, struct arena *arena,
		       struct hook_gates *ret, struct error *err);

/*
 * Checks what a sender asks for, and completes it: a key that names no agent is the default
 * agent's, and no key is "main". ERROR_INVALID_FIELD.
 */
int hook_gates_admit(const struct hook_gates *gates, struct address *address, struct arena *arena,
		     struct error *err);

/* Checks the agent that the address leads to, a normalised id. ERROR_INVALID_FIELD. */
int hook_gates_admit_agent(const struct hook_gates *gates, struct str agent, struct error *err);

#endif
