/*
 * hooks.h - OpenClaw's own webhook, so that existing senders only change the host.
 *
 * Here: its path, and the shape of its refusals. Not here: statuses (problem), who may call (admission, throttle).
 */
#ifndef SEVQ_SERVER_CALLS_HOOKS_H
#define SEVQ_SERVER_CALLS_HOOKS_H

#include "server/http/reply.h"

#define SEVQ_HOOK_PATH "/hooks/wake"

/* Whether a request target, read or not, is for the webhook: its refusals are then of its own shape, whoever refuses. */
bool sevq_hooks_own(struct sevq_str target);

/* Sends the refusal: {"ok":false,"error":"..."} */
void sevq_hooks_refuse(struct sevq_request *request, struct sevq_reply *reply, const struct sevq_error *err);

#endif
