# What people write into ~/.bash_profile: log in at the console and have a desktop. :2 on tty2, :3 on tty3.
case $(tty) in
  /dev/tty[23]) exec startx /mnt/tools/xinitrc-bare -- ":${XDG_VTNR}" ;;
esac
