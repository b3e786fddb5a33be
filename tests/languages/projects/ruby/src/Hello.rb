def apply(name)
  "Hello #{name}"
end
