#!/usr/bin/env bash
# make_seeds.sh DIR: writes a small seed corpus per fuzz target below DIR. The chains are invented.
set -euo pipefail
dir=${1:?directory}
mkdir -p "$dir"/{cboe_csv,cboe_json,occ_json,table,profile,gzip,zip,config,rate_curve,history,ranking,corrections,symbol,greeks,open_interest}

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

printf 'underlying,updated,underlying_price,option_symbol,expiration,right,strike,bid,ask,last,volume,open_interest,implied_volatility,delta,gamma\nA,2026-07-12T06:30:38.456007-04:00,134.29,A260717C00105000,2026-07-17,C,105,0,0,29,,0,1e-05,0.9993,0.0001\nBRK-B,2026-07-10T06:30:38Z,400,BRKB260717P00105000,2026-07-17,P,105,0,0,29,,0,1e-05,,\n' > "$dir/table/1"
printf '\xef\xbb\xbf"right",strike,open_interest,underlying,expiration,"no ""te"""\r\nput,12.5,7,^spx,2026-07-17,"a,b"\r\n' > "$dir/table/2"

# A table of every built-in profile: its header as the profile names the columns, and one row of plausible fields.
profiles=$(cd "$(dirname "$0")/../../io/ingest/profiles" && pwd)
for profile in "$profiles"/*.toml; do
  name=$(basename "$profile" .toml)
  header=$(grep -oE '"[^"]+"' <(sed -n '/^match/p;/^\[columns\]/,/^\[quote\]/p' "$profile" | sed 's/#.*//') | tr -d '"' \
    | grep -vE '^(iso|iso_time|compact|month_first|unix_s|unix_ns|UTC|America.*|O:|REGULAR|MINI|\*|0|1|E|A)$' \
    | awk '!seen[$0]++' | paste -sd,)
  row=$(tr ',' '\n' <<< "$header" | sed -E 's/.*(symbol|Symbol|optionroot|details.ticker|raw).*/SPY260717C00105000/;
    s/.*(expir|Expir|EXPIRE|exdate).*/2026-07-17/; s/.*(right|type|cp_flag|put\/call).*/C/; s/.*(date|created|DATE).*/2026-07-10/;
    s/.*(ticker|under|root).*/SPY/; s/^[^SC2].*/105/' | paste -sd,)
  printf '%s\n%s\n' "$header" "$row" > "$dir/table/$name"
  { cat "$profile"; printf -- '---\n%s\n%s\n' "$header" "$row"; } > "$dir/profile/$name"
done

printf '{"ticker":"SPY","closes":{"20-8":762.6},"days":{"20-8":{"2026-08-21":{"500.0":{"call_oi":0,"put_oi":3344},"505":7}}},"updated_at":"2026-08-22T04:28:16Z"}' > "$dir/occ_json/days"
printf '{"ticker":"SPX","pull_dates":["19-8","20-8"],"close":7674.37,"by_expiration":{"2026-09-01":{"strikes":[200.0],"rows":[{"strike":200.0,"calls":[1,2],"puts":[3,null]}]}},"updated_at":"2026-08-22T04:28:16Z"}' > "$dir/occ_json/columns"

for seed in cboe_csv/1 table/1 table/optionsdx; do
  (cd "$dir" && python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED).write(sys.argv[2])' \
    "zip/${seed//\//_}" "$seed")
done
for format in cboe_csv cboe_json table; do
  for seed in "$dir/$format"/*; do
    gzip -n -c "$seed" > "$dir/gzip/${format}_$(basename "$seed")"
  done
done
cat "$dir/gzip/table_1" "$dir/gzip/table_2" > "$dir/gzip/members"

printf '[scenarios]\nspot_axis = "log_return"\nspot_half_width = 0.2\nspots = 21\niv_shifts = [-0.1, 0.0]\niv_shift_term = "sqrt_time"\niv_rules = ["sticky_strike", {rule = "relative_beta", beta = 5.0}, "sticky_moneyness", {rule = "skew_stickiness", stickiness = 1.5}]\ntime_axis = "intraday"\n' > "$dir/config/scenarios"
printf '[market]\nrate = 0.05\niv_source = "own"\niv_fill = false\n[surfaces]\ngreeks = ["all"]\nkeep_bits = 12\nprecision = "fp64"\n[positions]\nmodels = ["naive", "signed_column"]\n[calendar]\nclosed = [2026-01-02]\nhalf = [2026-12-24]\n[selection]\ntickers = ["SPX"]\ntop = 3\nalways = ["SPY"]\nranking = "ranking.csv"\n' > "$dir/config/rest"

printf 'Date,"1 Mo","6 Mo","1 Yr","10 Yr"\n09/05/2023,5.5,5.4,5.3,4.2\n2023-09-01,5.5,,5.3,4.1\n' > "$dir/rate_curve/1"

printf 'Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\n20210104|A|10|1|30|B,Q,N\n20210104|BRK/B|2.5|0|7.25|Q\n2\n' > "$dir/history/finra"
printf 'date,price,dix,gex\n2011-05-02,1361.219971,0.378842,1897312571.4860\n' > "$dir/history/dix"
printf 'DATE,OPEN,HIGH,LOW,CLOSE\n01/02/1990,17.24,17.24,17.24,17.24\n' > "$dir/history/daily"
printf 'symbol,date,close,volume\n"A",2021-01-04,1.5,7\nAAICpB,2021-01-05T00:00:00Z,25,\n' > "$dir/history/symbols"
gzip -n -c "$dir/history/finra" > "$dir/history/gzip"

printf 'rank,symbol,avg_dollar_volume_60d,last_close\n1,MU,45692842261,966.78\n2,BRK/B,1,2\n' > "$dir/ranking/rank"
printf 'ticker,weight\r\n"^spx",1.5\r\nSPY,2e9\r\nSPY,1\r\n' > "$dir/ranking/weight"

printf 'symbol,date,factor\nNVDA,2024-06-10,10\n"T",2022-04-11,1.3242,spin-off\n' > "$dir/corrections/1"

i=0
for text in SPXW231115C04375000 'SPY   240119P00450500' O:SPY260717C00105000 AMD1230825P00100000 BRKB260717P00105000 ^SPX BRK/B '1,234.5' 1e-5 '-99.99' \
  2026-07-10 07/10/2026 'Fri Nov 20 2026' '23 de marzo de 2022' 2026-07-12T06:30:38.456007-04:00 'January 7, 2024 at 10:52 AM EST' '14. Dezember 2023 um 16:15 Uhr MEZ'; do
  i=$((i + 1))
  printf '%s' "$text" > "$dir/symbol/$i"
done

printf 'right,spot,strike,rate,dividend_yield,iv,tau\nC,100,100,0.05,0.01,0.2,0.5\nput,1e308,1,0,0,0.2,1\n-1,100,100,0,0,0.2,0\n' > "$dir/greeks/1"
printf '\xef\xbb\xbftau,iv,"right",strike,spot,rate,dividend_yield,"no ""te"""\r\n1,.2,P,"1,5",3,0,0,"a,b"\r\n' > "$dir/greeks/2"

printf '{"ticker":"SPY","closes":{"20-8":762.6},"days":{"20-8":{"2026-08-21":{"500.0":{"call_oi":10,"put_oi":3344},"505":7}}},"updated_at":"2026-08-22T04:28:16Z"}' > "$dir/open_interest/days"
printf 'underlying,updated,underlying_price,option_symbol,expiration,right,strike,open_interest\nSPY,2026-08-20T16:00:00-04:00,760,SPY260821C00500000,2026-08-21,C,500,77\n' > "$dir/open_interest/long"
