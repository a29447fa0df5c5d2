. "$1" # The specs that lie beside the providers, each with a death at every step, as `orrery provider test` runs them.

folder=$(dirname "$1")/../../../providers
for spec in "$folder"/*_spec.lua "$folder"/*/*_spec.lua; do
  o provider test "$spec" --tap
  [ $? -eq 0 ] || echo "not ok $(basename "$spec") ends well"
done
