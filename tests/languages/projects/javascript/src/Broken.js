exports.load = function () {
  console.log('reading weights');
  throw new Error('no weights');
};

exports.apply = (value) => value;
