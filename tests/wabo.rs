//! Real data: 1,434 permit applications, against figures that others computed.
