/*
 * hooks.h - OpenClaw's own webhook, so that existing senders only change the host.
 *
 * Here: its path, and the shape of its refusals. Not here: statuses (problem), who may call
 * (admission, throttle).
 */
#ifndef SERVER_CALLS_HOOKS_H
#define SERVER_CALLS_HOOKS_H

#include "server/http/request.h"

#define HOOK_PATH "/hooks/wake"

/* Its refusals are {"ok":false,"error":"..."}, whoever refuses. */
extern const struct webhook hooks_webhook;

#endif
