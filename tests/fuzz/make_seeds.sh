#!/usr/bin/env bash
# make_seeds.sh DIR: writes a small seed corpus per fuzz target below DIR. The chains are invented.
set -euo pipefail
dir=${1:?directory}
mkdir -p "$dir"/{cboe_csv,cboe_json,long_csv,gzip,config,rate_curve}

header='Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest'
row='Fri Aug 25 2023,AMD230825C00100000,6.1,0.5,6.05,6.2,11,0.45,0.81,0.03,321,100.00,AMD230825P00100000,0.4,-0.1,0.38,0.41,7,0.44,-0.19,0.03,123'
i=0
for date in 'August 18, 2023 at 10:35 PM EDT' '23 de marzo de 2022, 10:11 GMT-4' \
  $'23 mars 2022 \u00e0 16\u202fh\u202f11 UTC\u22124' $'March 23, 2022 at 10:11\u202fAM EST'; do
  i=$((i + 1))
  printf '\n"Advanced Micro Devices, Inc.",Last: 105.6,Change: 1\n"Date: %s",Bid: 1,Ask: 2\n%s\n%s\n%s\n' \
    "$date" "$header" "$row" "${row//AMD23/AMD123}" > "$dir/cboe_csv/$i"
done
printf 'SPX (S&P 500 INDEX),2690.73,-45.54\nNov 19 2018 @ 17:30 ET\nExpiration Date,Calls,Last Sale,Net,Bid,Ask,Vol,IV,Open Int,Strike,Puts,Last Sale,Net,Bid,Ask,Vol,IV,Open Int\n11/21/2018,SPXW181121C02700000,1,0,1,2,3,0.2,4,2700,SPXW181121P02700000,1,0,1,2,3,0.2,5\n' > "$dir/cboe_csv/old"

printf '{"timestamp":"2023-09-21 03:17:42","data":{"options":[{"option":"RUT231020C01000000","bid":809.5,"ask":811.1,"iv":0.0,"open_interest":22.0,"volume":null,"delta":0.9974,"gamma":0.0,"last_trade_price":"1.5"},{"option":"RUTW231020P01000000","bid":-1},7],"symbol":"^RUT","current_price":1806.1193},"symbol":"_RUT"}' > "$dir/cboe_json/1"

printf 'underlying,updated,underlying_price,option_symbol,expiration,right,strike,bid,ask,last,volume,open_interest,implied_volatility,delta,gamma\nA,2026-07-12T06:30:38.456007-04:00,134.29,A260717C00105000,2026-07-17,C,105,0,0,29,,0,1e-05,0.9993,0.0001\nBRK-B,2026-07-10T06:30:38Z,400,BRKB260717P00105000,2026-07-17,P,105,0,0,29,,0,1e-05,,\n' > "$dir/long_csv/1"
printf '\xef\xbb\xbf"right",strike,open_interest,underlying,expiration,"no ""te"""\r\nput,12.5,7,^spx,2026-07-17,"a,b"\r\n' > "$dir/long_csv/2"

for format in cboe_csv cboe_json long_csv; do
  for seed in "$dir/$format"/*; do
    gzip -n -c "$seed" > "$dir/gzip/${format}_$(basename "$seed")"
  done
done
cat "$dir/gzip/long_csv_1" "$dir/gzip/long_csv_2" > "$dir/gzip/members"

printf '[scenarios]\nspot_axis = "log_return"\nspot_half_width = 0.2\nspots = 21\niv_shifts = [-0.1, 0.0]\niv_shift_term = "sqrt_time"\niv_rules = ["sticky_strike", {rule = "relative_beta", beta = 5.0}, "sticky_moneyness", {rule = "skew_stickiness", stickiness = 1.5}]\ntime_axis = "intraday"\n' > "$dir/config/scenarios"
printf '[market]\nrate = 0.05\niv_source = "own"\niv_fill = false\n[surfaces]\ngreeks = ["all"]\nkeep_bits = 12\nprecision = "fp64"\n[positions]\nmodels = ["naive", "signed_column"]\n[calendar]\nclosed = [2026-01-02]\nhalf = [2026-12-24]\n[selection]\ntickers = ["SPX"]\ntop = 3\n' > "$dir/config/rest"

printf 'Date,"1 Mo","6 Mo","1 Yr","10 Yr"\n09/05/2023,5.5,5.4,5.3,4.2\n2023-09-01,5.5,,5.3,4.1\n' > "$dir/rate_curve/1"
