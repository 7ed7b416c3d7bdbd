-- Matching keys live in an index of their own for each entity (records/duplicates/index.rs); it is made with the keys.
drop table _stoa_block_keys;
