"""The parts of spice-gtk that must be called natively.

PyGObject turns a clipboard payload into a list of ints and cannot read a GArray of monitors; here both are plain
memory. A GObject wrapper's hash is the address of the object it wraps.
"""

import ctypes
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_ulong, c_void_p

_gobject = ctypes.CDLL("libgobject-2.0.so.0")
_glib = ctypes.CDLL("libglib-2.0.so.0")
_spice = ctypes.CDLL("libspice-client-glib-2.0.so.8")

_gobject.g_signal_connect_data.restype = c_ulong
_gobject.g_signal_connect_data.argtypes = [c_void_p, c_char_p, c_void_p, c_void_p, c_void_p, c_int]
_gobject.g_object_get.restype = None
_glib.g_array_unref.argtypes = [c_void_p]
_spice.spice_main_channel_clipboard_selection_notify.restype = None
_spice.spice_main_channel_clipboard_selection_notify.argtypes = [c_void_p, c_uint, c_uint32, c_char_p, c_size_t]
_spice.spice_display_channel_get_primary.argtypes = [c_void_p, c_uint32, c_void_p]

_spice.spice_main_channel_file_copy_async.restype = None
_spice.spice_main_channel_file_copy_async.argtypes = [c_void_p, c_void_p, c_int] + [c_void_p] * 5

_ON_DATA = CFUNCTYPE(None, c_void_p, c_uint, c_uint, c_void_p, c_uint, c_void_p)
_ON_GRAB = CFUNCTYPE(c_int, c_void_p, c_uint, POINTER(c_uint32), c_uint, c_void_p)


class _Array(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("len", c_uint)]


class _Monitor(ctypes.Structure):
    _fields_ = [(name, c_uint) for name in ("id", "surface_id", "x", "y", "width", "height")]


class _Primary(ctypes.Structure):
    _fields_ = [
        ("format", c_int),
        ("width", c_int),
        ("height", c_int),
        ("stride", c_int),
        ("shmid", c_int),
        ("data", c_void_p),
        ("marked", c_int),
    ]


def _connect(gobject, signal, callback):
    _gobject.g_signal_connect_data(hash(gobject), signal, ctypes.cast(callback, c_void_p), None, None, 0)
    # Whoever connects must keep this: ctypes frees the code of a callback nobody refers to.
    return callback


def on_clipboard_data(main, handler):
    """handler(selection, type, address, size); the memory is valid during the call only."""

    def called(_, selection, kind, address, size, __):
        handler(selection, kind, address, size)

    return _connect(main, b"main-clipboard-selection", _ON_DATA(called))


def on_clipboard_grab(main, handler):
    """handler(selection, types)"""

    def called(_, selection, types, count, __):
        handler(selection, types[:count])
        return 1

    return _connect(main, b"main-clipboard-selection-grab", _ON_GRAB(called))


def memory(address, size):
    """The bytes at an address, not copied."""
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B") if size else memoryview(b"")


def clipboard_notify(main, selection, kind, data):
    """Answers the guest's request. spice-gtk copies the data before this returns."""
    _spice.spice_main_channel_clipboard_selection_notify(hash(main), selection, kind, data, len(data))


def file_copy(main, files, cancellable):
    """Drops the files, as Gio.File. How each ends its task tells; PyGObject would free the callbacks after their first call."""
    sources = (c_void_p * (len(files) + 1))(*(hash(file) for file in files), None)
    cancel = hash(cancellable) if cancellable else None
    _spice.spice_main_channel_file_copy_async(hash(main), sources, 0, cancel, None, None, None, None)


def monitors(display):
    """The `monitors` property of a display channel, as the server last announced it."""
    pointer = c_void_p()
    _gobject.g_object_get(c_void_p(hash(display)), b"monitors", byref(pointer), None)
    if not pointer:
        return []
    try:
        array = ctypes.cast(pointer, POINTER(_Array)).contents
        entries = ctypes.cast(array.data, POINTER(_Monitor))[: array.len] if array.len else []
        return [{"id": m.id, "x": m.x, "y": m.y, "width": m.width, "height": m.height} for m in entries]
    finally:
        _glib.g_array_unref(pointer)


def primary(display):
    """(width, height, stride, pixels as BGRX) of the primary surface, or None."""
    found = _Primary()
    if not _spice.spice_display_channel_get_primary(hash(display), 0, byref(found)) or not found.data:
        return None
    return found.width, found.height, found.stride, memory(found.data, found.stride * found.height)
