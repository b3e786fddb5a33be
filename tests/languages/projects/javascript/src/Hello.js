exports.apply = function (name, cb) {
  cb(null, `Hello ${name}`);
};
