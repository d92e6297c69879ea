/*
 * hooks.h - OpenClaw's own webhook, so that existing senders only change the host.
 *
 * Here: its path, and the shape of its refusals. Not here: statuses (problem), who may call
 * (admission, throttle).
 */
#ifndef SERVER_CALLS_HOOKS_H
#define SERVER_CALLS_HOOKS_H

#include "server/http/reply.h"

#define HOOK_PATH "/hooks/wake"

/*
 * Whether a request target, read or not, is for the webhook: its refusals are then of its own
 * shape, whoever refuses.
 */
bool hooks_own(struct str target);

/* Sends the refusal: {"ok":false,"error":"..."} */
void hooks_refuse(struct request *request, struct reply *reply, const struct error *err);

#endif
