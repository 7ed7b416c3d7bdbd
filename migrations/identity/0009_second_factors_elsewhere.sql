-- What a provider's `acr` may say for its word to stand for both factors. Empty: its word is one factor, always.
alter table identity_providers add column second_factor_acrs text not null default '[]' check (json_valid(second_factor_acrs));

-- How well the provider proved who somebody is.
alter table _stoa_federation_vouchers add column acr text not null default 'aal1' check (acr in ('aal1', 'aal2'));
