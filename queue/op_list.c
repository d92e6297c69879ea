/* op_list.c - a singly linked list with a pointer to its end. */
#include "queue/op_list.h"

void
op_list_init(struct op_list *list)
{
	*list = (struct op_list){ .first = NULL, .end = &list->first };
}

void
op_list_add(struct op_list *list, struct op *op)
{
	op->next = NULL;
	*list->end = op;
	list->end = &op->next;
	list->count++;
}

struct op *
op_list_take(struct op_list *list)
{
	struct op *op = list->first;

	list->first = op->next;
	if (list->first == NULL)
		list->end = &list->first;
	list->count--;
	return op;
}

void
op_list_move(struct op_list *from, struct op_list *to)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	to->count += from->count;
	op_list_init(from);
}

void
op_list_put_first(struct op_list *list, struct op_list *front)
{
	op_list_move(list, front);
	op_list_move(front, list);
}
