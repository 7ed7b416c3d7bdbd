//! One binary of stories and rules: the modules in reading order.

mod architecture;
