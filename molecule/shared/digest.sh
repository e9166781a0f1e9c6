#!/bin/sh
# Everything that a deployment could touch: names, owners, modes, links, contents, and nginx's processes.
# With `others`, what it must leave alone: all that does not belong to the site itself.
look() {
    for directory in /etc/nginx /etc/letsencrypt /var/www /var/lib/nginx_websocket; do
        [ -e "$directory" ] || continue
        find "$directory" -printf '%p %y %m %u:%g %l\n' | sort
        find "$directory" -type f -print0 | sort -z | xargs -0 -r sha256sum
    done
}

if [ "$1" = others ]; then
    look | grep -v -e '/sites-[a-z]*/lammp\.test' -e /var/lib/nginx_websocket
else
    look
    pgrep -a nginx | sort
fi
