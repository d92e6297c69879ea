/*
 * page.h - whether there is a page.
 */
#ifndef SERVER_CALLS_PAGE_H
#define SERVER_CALLS_PAGE_H

#include "server/http/request.h"

/* ERROR_NOT_FOUND with --no-page. */
int page_check(const struct request *request, struct error *err);

#endif
