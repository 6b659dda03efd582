# SPDX-License-Identifier: GPL-2.0
"""
Servers with the faults that leave CLOSE_WAIT behind: host_leak.py FAULT PORT.

  never-accept   listens and does nothing else
  unwatched      accepts, and never looks at the connection again
  unread         is told of data but never reads
  unclosed       reads to the end and does not close
  good           reads to the end and closes: none is left
"""
import select
import socket
import sys

fault, port = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("", port), backlog=64)
if fault == "never-accept":
    select.select([], [], [])
kept = []
poll = select.epoll()
poll.register(listener, select.EPOLLIN)
by_fd = {}
while True:
    for fd, _ in poll.poll():
        if fd == listener.fileno():
            s = listener.accept()[0]
            kept.append(s)
            if fault != "unwatched":
                by_fd[s.fileno()] = s
                poll.register(s, select.EPOLLIN | (select.EPOLLET if fault != "good" else 0))
        elif fault != "unread" and not by_fd[fd].recv(65536) and fault == "good":
            poll.unregister(fd)
            s = by_fd.pop(fd)
            kept.remove(s)
            s.close()
