def load
  puts 'reading weights'
  raise 'no weights'
end

def apply(value)
  value
end
