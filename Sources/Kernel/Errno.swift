private import Glibc

func lastErrno() -> CInt { errno }
