"""Queues of items that others put in and take out, and the statuses of the machines that work on them.

They are not the queue of work orders, which is for what this program does itself (`armillary.base.work`).
"""
